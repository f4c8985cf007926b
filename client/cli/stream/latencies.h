// Times of answers and their percentiles.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace kith::cli {

class Latencies {
 public:
  void Add(std::chrono::nanoseconds latency) { milliseconds_.push_back(Milliseconds(latency)); }
  void Add(const Latencies& other);

  bool empty() const { return milliseconds_.empty(); }

  // The smallest time that at least `percent` (0 to 100) of all times do not exceed, in ms: the nearest-rank
  // percentile. Not for an empty set.
  double Percentile(double percent) const;

 private:
  static double Milliseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::milli>(time).count();
  }

  std::vector<double> milliseconds_;
};

}  // namespace kith::cli
