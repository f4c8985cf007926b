// Blocks of many clients at once, all driven by one thread: for programs that put a server under load.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "client/cpp/client.h"
#include "client/cpp/types.h"

namespace kith {

// How one client of a BlockPump asks.
struct LaneOptions {
  std::string experiment;
  bool search = false;  // Search instead of Expand; of `params`, what is not `search` has no effect then
  bool unary = false;   // a call for each block instead of a stream
  ExpandParams params;
  std::optional<absl::Duration> budget;  // of a block in a stream, in whole milliseconds
};

struct BlockAnswer {
  int lane = 0;
  int64_t sequence = 0;
  absl::Status status;  // that a result of the right shape came, or what came instead
};

// Not thread-safe: one thread uses it. Several pumps may run in several threads.
class BlockPump {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // `connections`, 1 or more, are shared by the lanes in turn.
  BlockPump(const ClientOptions& options, int connections);
  ~BlockPump();  // cancels what still runs
  BlockPump(const BlockPump&) = delete;
  BlockPump& operator=(const BlockPump&) = delete;

  // Waits until every connection is there: OK, UNAVAILABLE or CANCELLED.
  absl::Status Connect(const Cancellation* cancellation);

  // A new lane; lanes are numbered from 0 on. Its stream is opened by its first block, and anew by the next block after
  // it broke.
  int AddLane(const LaneOptions& options);

  // Sends a block without waiting. The values are copied, at once or once the server takes more on this lane, and so
  // must outlive the answer. Every block gets exactly one answer, those of a stream in order.
  void Send(int lane, int64_t sequence, FramesView frames);

  // The next answer of any lane; waits until `until` for it, to within some tens of microseconds.
  std::optional<BlockAnswer> Next(TimePoint until);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kith
