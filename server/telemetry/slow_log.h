// Requests that took long, in the log.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/telemetry/rpc_name.h"

namespace kith::telemetry {

struct SlowBlock {
  Rpc rpc = Rpc::kSearch;
  absl::string_view experiment;
  absl::string_view request_id;
  int64_t rows = 0;
  Clock::duration queue{};
  Clock::duration compute{};
  Clock::duration total{};  // until it was about to be handed over
};

// However many are slow, a few lines a second tell of them. Thread-safe.
class SlowLog {
 public:
  // Blocks that take so long or longer are logged; 0: none.
  explicit SlowLog(std::chrono::milliseconds least) : least_(least) {}

  // Takes no lock.
  bool IsSlow(Clock::duration total) const { return least_.count() > 0 && total >= least_; }

  // Logs a block that is slow, or counts it for the next line, which tells of how many there was none.
  void Log(const SlowBlock& block, TimePoint now);

 private:
  const std::chrono::milliseconds least_;
  std::mutex mutex_;
  double room_ = kBurst;   // for lines; guarded by mutex_
  TimePoint filled_ = {};  // guarded by mutex_
  int64_t left_out_ = 0;   // guarded by mutex_

  static constexpr double kBurst = 10;  // lines at once
  static constexpr double kLinesPerSecond = 1;
};

}  // namespace kith::telemetry
