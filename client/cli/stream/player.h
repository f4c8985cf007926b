// Plays frames at their real pace: every block is sent when its last frame is there, and played when it is due.
#pragma once

#include <optional>

#include "client/cli/stream/block_schedule.h"
#include "client/cli/stream/link.h"
#include "client/cli/stream/playout.h"

namespace kith::cli {

// The frames of a file, again and again until the schedule ends. Knows no clock: the caller gives the time, so one
// thread with a real clock and a test with a made-up one use it alike. Not thread-safe.
class Player {
 public:
  // `frames` (at least one row), `playout` and `link` must outlive the player. The first frame begins at `start`; a
  // block is due `budget` after it is there.
  Player(FramesView frames, const BlockSchedule& schedule, TimePoint start, std::chrono::milliseconds budget,
         Playout& playout, BlockLink& link);

  // Does all that is to be done by `now`. When to call it again; nothing: everything is played.
  std::optional<TimePoint> Step(TimePoint now);

  // Sends no further blocks; those sent are still played.
  void End() { end_ = next_; }
  bool all_sent() const { return next_ == end_; }

 private:
  void SendBlock(int64_t block, TimePoint now);

  const FramesView frames_;
  const BlockSchedule schedule_;
  const TimePoint start_;
  const std::chrono::milliseconds budget_;
  Playout& playout_;
  BlockLink& link_;
  int64_t next_ = 0;  // block
  int64_t end_;
};

// Begins a block in the playout and sends it, or has it played unchanged where it cannot be sent.
void SendOrBypass(int64_t sequence, Frames frames, TimePoint now, TimePoint due, Playout& playout, BlockLink& link);

// Opens a new stream where the present one owes an answer for too long: the server hangs, or its machine is gone.
void ResetWhenStalled(TimePoint now, std::chrono::milliseconds budget, const Playout& playout, BlockLink& link);

}  // namespace kith::cli
