// Plays blocks in their order: blended where the answer came in time, else unchanged. Audio never waits for a server.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/cli/stream/block_schedule.h"
#include "client/cli/stream/latencies.h"
#include "client/cpp/types.h"

namespace kith::cli {

using SharedFrames = std::shared_ptr<const Frames>;

struct PlayoutCounts {
  int64_t blocks = 0;    // played
  int64_t rows = 0;      // played
  int64_t blended = 0;   // blocks played with their answer
  int64_t bypassed = 0;  // blocks played unchanged, for whatever reason
  int64_t late = 0;      // answers that came too late, and blocks that the server called late
  int64_t errors = 0;    // blocks answered with another error
  int64_t answers = 0;   // of any kind
  absl::Status first_error;
  Latencies latencies;  // from sending to the answer, of blocks that got a result, late or not
};

// Thread-safe: the player begins and plays, the link answers. Times are given by the caller.
class Playout {
 public:
  // Takes the rows of each block as it is played, one call at a time.
  using Sink = std::function<void(absl::Span<const float>)>;

  explicit Playout(Sink sink) : sink_(std::move(sink)) {}

  // A new block, sent at `sent`; it is played at `due` at the latest. Sequences count up by one.
  void Begin(int64_t sequence, SharedFrames frames, TimePoint sent, TimePoint due);

  // The block could not be sent: it is played unchanged.
  void Bypass(int64_t sequence);

  // The answer to a block. One that nobody waits for any more is only counted.
  void Answer(int64_t sequence, const absl::Status& status, Frames blended, TimePoint now);

  // The stream broke: none of the answers that are awaited will come.
  void Lost();

  // Plays what is due.
  void Advance(TimePoint now);

  // When Advance has something to do again; nothing: all blocks so far are played.
  std::optional<TimePoint> NextDue() const;

  // When the block was sent that waits longest for its answer, played or not.
  std::optional<TimePoint> OldestAwaited() const;

  // Waits until fewer than `count` blocks are still to be played: true, or false at `until`.
  bool WaitForFewerThan(size_t count, TimePoint until) const;

  PlayoutCounts counts() const;

 private:
  struct Pending {
    int64_t sequence;
    SharedFrames frames;
    TimePoint due;
    bool decided = false;
    std::optional<Frames> blended;  // nothing when decided: unchanged
  };
  struct Awaited {
    TimePoint sent;
    TimePoint due;
  };

  Pending* Find(int64_t sequence);
  void Decide(int64_t sequence, std::optional<Frames> blended);
  void PlayDecided();

  const Sink sink_;
  mutable std::mutex mutex_;  // guards all below
  mutable std::condition_variable played_;
  std::deque<Pending> pending_;         // not yet played, in order
  std::map<int64_t, Awaited> awaited_;  // not yet answered; the oldest first
  PlayoutCounts counts_;
};

}  // namespace kith::cli
