// A progress bar on one line of a terminal, and how long it takes already.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>

namespace kith::cli {

// "label [=====     ] 51%", or "label 12345 rows" where the total is not known; empty total: "label".
std::string ProgressLine(std::string_view label, int64_t done, int64_t total);

// Shows nothing in the first second (`quiet`), and nothing at all where it is not enabled. From then on a thread draws
// the line again and again, so that a step of which nothing is heard is seen to take its time. Thread-safe.
class Progress {
 public:
  Progress(std::ostream& terminal, bool enabled, std::string_view label,
           std::chrono::milliseconds quiet = std::chrono::seconds(1));
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(std::string_view label, int64_t done, int64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  void Run(std::chrono::milliseconds quiet);

  std::ostream& terminal_;  // of the thread
  const Clock::time_point start_;
  std::mutex mutex_;  // guards all below but the thread
  std::condition_variable ended_;
  bool end_ = false;
  std::string label_;
  int64_t done_ = 0;
  int64_t total_ = 0;
  std::thread thread_;  // none where it is not enabled
};

}  // namespace kith::cli
