// What was done with one experiment since the server's start, over all its generations.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "server/experiments/live_frames.h"

namespace kith::experiments {

// Counted on the way of every block, so each count is one addition without a lock. Thread-safe.
struct Traffic {
  std::atomic<int64_t> blocks{0};       // answered with a result
  std::atomic<int64_t> rows{0};         // in those
  std::atomic<int64_t> nanoseconds{0};  // that those took, from their arrival until gRPC had the answer
  std::atomic<int64_t> late{0};         // blocks whose time was over
  std::atomic<int64_t> refused{0};      // blocks that there was no room for, or that were beyond a limit
  LiveFrames live;

  static void Count(std::atomic<int64_t>* counter, int64_t by = 1) {
    counter->fetch_add(by, std::memory_order_relaxed);
  }
};

// The same at one moment.
struct TrafficReading {
  std::string experiment;
  int64_t blocks = 0;
  int64_t rows = 0;
  int64_t nanoseconds = 0;
  int64_t late = 0;
  int64_t refused = 0;
};

}  // namespace kith::experiments
