#include "client/cli/stream/player.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kith::cli {
namespace {

constexpr std::chrono::milliseconds kStalled{5000};

// `rows` rows of the endless repetition of `frames`.
Frames Repeated(FramesView frames, int64_t first, int64_t rows) {
  Frames block{frames.dimension, {}};
  block.values.reserve(rows * frames.dimension);
  while (rows > 0) {
    const int64_t from = first % frames.rows();
    const int64_t count = std::min(rows, frames.rows() - from);
    const FramesView piece = frames.Rows(from, count);
    block.values.insert(block.values.end(), piece.values.begin(), piece.values.end());
    first += count;
    rows -= count;
  }
  return block;
}

}  // namespace

void SendOrBypass(int64_t sequence, Frames frames, TimePoint now, TimePoint due, Playout& playout, BlockLink& link) {
  const auto shared = std::make_shared<const Frames>(std::move(frames));
  playout.Begin(sequence, shared, now, due);
  if (!link.Send(sequence, shared)) playout.Bypass(sequence);
}

void ResetWhenStalled(TimePoint now, std::chrono::milliseconds budget, const Playout& playout, BlockLink& link) {
  const std::optional<TimePoint> oldest = playout.OldestAwaited();
  if (oldest && now - *oldest > std::max(kStalled, 4 * budget)) link.Reset();
}

Player::Player(FramesView frames, const BlockSchedule& schedule, TimePoint start, std::chrono::milliseconds budget,
               Playout& playout, BlockLink& link)
    : frames_(frames),
      schedule_(schedule),
      start_(start),
      budget_(budget),
      playout_(playout),
      link_(link),
      end_(schedule.blocks()) {}

std::optional<TimePoint> Player::Step(TimePoint now) {
  while (next_ < end_ && start_ + schedule_.Ready(next_) <= now) SendBlock(next_++, now);
  playout_.Advance(now);
  ResetWhenStalled(now, budget_, playout_, link_);

  std::optional<TimePoint> wake = playout_.NextDue();
  if (next_ < end_) {
    const TimePoint ready = start_ + schedule_.Ready(next_);
    wake = wake ? std::min(*wake, ready) : ready;
  }
  return wake;
}

void Player::SendBlock(int64_t block, TimePoint now) {
  const TimePoint due = start_ + schedule_.Ready(block) + budget_;
  SendOrBypass(block, Repeated(frames_, schedule_.FirstRow(block), schedule_.Rows(block)), now, due, playout_, link_);
}

}  // namespace kith::cli
