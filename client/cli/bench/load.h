// Puts a server under load: many clients that send blocks, and how long the answers took.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/bench/latency_histogram.h"
#include "client/cpp/block_pump.h"
#include "client/cpp/cancellation.h"

namespace kith::cli {

// Why the server answers a block that it cannot compute within its budget.
inline constexpr char kLateReason[] = "LATE";

struct LoadOptions {
  ClientOptions client;
  std::vector<std::string> experiments;  // client number c asks experiments[c % their number]
  LaneOptions lane;                      // its experiment is one of those
  int clients = 1;
  int connections = 1;  // at most one a client
  int threads = 1;      // of the load; the clients are shared out among them
  int block_rows = 16;
  // Blocks a second of each client, sent when they are due, whatever became of the earlier ones (open loop). Unset:
  // each sends its next block once the last one was answered (closed loop).
  std::optional<double> rate;
  absl::Duration warm_up;  // not measured
  absl::Duration duration;
  absl::Duration grace = absl::Seconds(5);  // for the answers to blocks sent before the end
  // Where the measuring begins and ends, from another thread than those of the load.
  std::function<void()> on_begin = [] {};
  std::function<void()> on_end = [] {};
};

// Of the blocks that were due in the time measured.
struct LoadResult {
  double seconds = 0;                     // measured
  LatencyHistogram latencies;             // of the blocks answered with a result, from when they were due
  int64_t blocks = 0;                     // answered with a result
  int64_t late = 0;                       // answered after the budget, or with LATE; none without a budget
  std::map<std::string, int64_t> errors;  // by reason, or code where there is none; NO_ANSWER: not within the grace
  int64_t under_way = 0;                  // when the load was cancelled: neither answered nor failed
  int64_t answered_in_time = 0;           // results that came within the time measured: what the throughput is made of

  void Add(const LoadResult& other);
  int64_t failed() const;  // for other reasons than LATE
};

// Until the time is over or `cancellation` ends it early; then what was measured so far. An error where the server is
// not reached. `frames` has a block's rows at least; the blocks are taken from everywhere in it.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options, FramesView frames, const Cancellation& cancellation);

}  // namespace kith::cli
