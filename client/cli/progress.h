// A progress bar on one line of a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

namespace kith::cli {

// "label [=====     ] 51%", or "label 12345 rows" where the total is not known; empty total: "label".
std::string ProgressLine(std::string_view label, int64_t done, int64_t total);

// Shows nothing in the first second, and nothing at all where it is not enabled. Thread-safe.
class Progress {
 public:
  Progress(std::ostream& terminal, bool enabled);
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(std::string_view label, int64_t done, int64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  std::ostream& terminal_;
  const bool enabled_;
  std::mutex mutex_;
  Clock::time_point next_draw_;  // guarded by mutex_
  bool drawn_ = false;           // guarded by mutex_
};

}  // namespace kith::cli
