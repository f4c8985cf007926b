#include "client/cli/stream/pipe_player.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/cli/stream/player.h"

namespace kith::cli {
namespace {

constexpr std::chrono::milliseconds kLook{50};  // how often to look for Ctrl-C
constexpr size_t kReadBytes = 1 << 16;

}  // namespace

absl::Status WriteFloats(int fd, absl::Span<const float> values) {
  const char* data = reinterpret_cast<const char*>(values.data());
  size_t left = values.size() * sizeof(float);
  while (left > 0) {
    const ssize_t written = write(fd, data, left);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "stdout: cannot be written");
    data += written;
    left -= static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

PipePlayer::PipePlayer(const PipeOptions& options, const Cancellation& cancellation, Playout& playout, BlockLink& link)
    : options_(options),
      schedule_(options.block_time, std::numeric_limits<int64_t>::max()),
      cancellation_(cancellation),
      playout_(playout),
      link_(link),
      row_bytes_(sizeof(float) * options.dimension),
      most_under_way_(MostUnderWay(options.block_time, options.budget)) {}

absl::Status PipePlayer::Run() {
  absl::Status status;
  while (status.ok() && !cancellation_.cancelled() && Clock::now() < options_.end) {
    const TimePoint now = Clock::now();
    playout_.Advance(now);
    ResetWhenStalled(now, options_.budget, playout_, link_);
    if (const int64_t rows = ReadyRows(); rows > 0) {
      // Where there is no room for the block nothing more is read either, and so the feed waits.
      if (HasRoom(now)) SendBlock(rows);
    } else if (ended_) {
      break;
    } else if (Readable(now)) {
      status = ReadSome();
    }
  }
  SendRest();
  if (status.ok() && ended_ && !input_.empty()) {
    status =
        absl::InvalidArgumentError(absl::StrCat("stdin ended inside a row: ", input_.size(),
                                                " bytes are left of a row of ", row_bytes_, "; is --dimension right?"));
  }
  PlayRest();
  return status;
}

// The rows of the next block if all of them were read, or all that will come were; else 0.
int64_t PipePlayer::ReadyRows() const {
  const auto read = static_cast<int64_t>(input_.size() / row_bytes_);
  const int64_t full = schedule_.Rows(next_);
  return read >= full ? full : ended_ ? read : 0;
}

// Waits until a further block may be under way, until one is due at the latest.
bool PipePlayer::HasRoom(TimePoint now) const { return playout_.WaitForFewerThan(most_under_way_, NextLook(now)); }

// When to see to something else than what is waited for.
TimePoint PipePlayer::NextLook(TimePoint now) const {
  return std::min(now + kLook, playout_.NextDue().value_or(now + kLook));
}

// Waits for input, until a block is due at the latest.
bool PipePlayer::Readable(TimePoint now) const {
  const auto wait =
      std::chrono::ceil<std::chrono::milliseconds>(std::max(NextLook(now) - now, Clock::duration::zero()));
  pollfd input{options_.in_fd, POLLIN, 0};
  return poll(&input, 1, static_cast<int>(wait.count())) > 0;
}

absl::Status PipePlayer::ReadSome() {
  const size_t before = input_.size();
  input_.resize(before + kReadBytes);
  const ssize_t got = read(options_.in_fd, input_.data() + before, kReadBytes);
  const int error = errno;
  input_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
  if (got == 0) ended_ = true;
  if (got < 0 && error != EINTR && error != EAGAIN) return absl::ErrnoToStatus(error, "stdin: cannot be read");
  return absl::OkStatus();
}

void PipePlayer::SendBlock(int64_t rows) {
  Frames frames{options_.dimension, std::vector<float>(rows * options_.dimension)};
  std::memcpy(frames.values.data(), input_.data(), rows * row_bytes_);
  input_.erase(0, rows * row_bytes_);
  const TimePoint now = Clock::now();
  SendOrBypass(next_++, std::move(frames), now, now + options_.budget, playout_, link_);
}

// What is left where the reading was cut short.
void PipePlayer::SendRest() {
  while (const auto rows = static_cast<int64_t>(input_.size() / row_bytes_)) {
    SendBlock(std::min(rows, schedule_.Rows(next_)));
  }
}

void PipePlayer::PlayRest() {
  while (const std::optional<TimePoint> due = playout_.NextDue()) {
    playout_.WaitForFewerThan(1, *due);
    playout_.Advance(Clock::now());
  }
}

}  // namespace kith::cli
