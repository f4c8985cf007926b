#include "client/cli/stream/playout.h"

#include <utility>

#include "client/cpp/error.h"

namespace kith::cli {

void Playout::Begin(int64_t sequence, SharedFrames frames, TimePoint sent, TimePoint due) {
  std::lock_guard lock(mutex_);
  pending_.push_back({sequence, std::move(frames), due, false, std::nullopt});
  awaited_[sequence] = {sent, due};
}

void Playout::Bypass(int64_t sequence) {
  std::lock_guard lock(mutex_);
  awaited_.erase(sequence);
  Decide(sequence, std::nullopt);
}

void Playout::Answer(int64_t sequence, const absl::Status& status, Frames blended, TimePoint now) {
  std::lock_guard lock(mutex_);
  const auto found = awaited_.find(sequence);
  if (found == awaited_.end()) return;
  const Awaited awaited = found->second;
  awaited_.erase(found);
  ++counts_.answers;
  const bool in_time = now <= awaited.due;
  if (status.ok()) {
    counts_.latencies.Add(now - awaited.sent);
    if (!in_time) ++counts_.late;
    Decide(sequence, in_time ? std::optional<Frames>(std::move(blended)) : std::nullopt);
    return;
  }
  if (ErrorReason(status) == "LATE") {
    ++counts_.late;
  } else if (counts_.errors++ == 0) {
    counts_.first_error = status;
  }
  Decide(sequence, std::nullopt);
}

void Playout::Lost() {
  std::lock_guard lock(mutex_);
  awaited_.clear();
  for (Pending& block : pending_) block.decided = true;
  PlayDecided();
}

void Playout::Advance(TimePoint now) {
  std::lock_guard lock(mutex_);
  for (Pending& block : pending_) {
    if (block.due <= now) block.decided = true;
  }
  PlayDecided();
}

std::optional<TimePoint> Playout::NextDue() const {
  std::lock_guard lock(mutex_);
  if (pending_.empty()) return std::nullopt;
  return pending_.front().due;
}

std::optional<TimePoint> Playout::OldestAwaited() const {
  std::lock_guard lock(mutex_);
  if (awaited_.empty()) return std::nullopt;
  return awaited_.begin()->second.sent;
}

bool Playout::WaitForFewerThan(size_t count, TimePoint until) const {
  std::unique_lock lock(mutex_);
  return played_.wait_until(lock, until, [&] { return pending_.size() < count; });
}

PlayoutCounts Playout::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

Playout::Pending* Playout::Find(int64_t sequence) {
  if (pending_.empty() || sequence < pending_.front().sequence || sequence > pending_.back().sequence) return nullptr;
  return &pending_[sequence - pending_.front().sequence];
}

void Playout::Decide(int64_t sequence, std::optional<Frames> blended) {
  Pending* block = Find(sequence);
  if (block == nullptr || block->decided) return;
  block->decided = true;
  block->blended = std::move(blended);
  PlayDecided();
}

void Playout::PlayDecided() {
  while (!pending_.empty() && pending_.front().decided) {
    const Pending& block = pending_.front();
    const Frames& frames = block.blended ? *block.blended : *block.frames;
    ++counts_.blocks;
    counts_.rows += frames.rows();
    ++(block.blended ? counts_.blended : counts_.bypassed);
    if (sink_) sink_(frames.values);
    pending_.pop_front();
  }
  played_.notify_all();
}

}  // namespace kith::cli
