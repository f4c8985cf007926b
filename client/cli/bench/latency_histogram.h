// Any number of times in fixed memory, with percentiles of bounded error, as HdrHistogram has them.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace kith::cli {

// Buckets grow with the time: below 512 ns each nanosecond has its own, above that every doubling is cut into 256 equal
// ones, so that a percentile is at most 1/256 above the time it stands for. Not thread-safe.
class LatencyHistogram {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  LatencyHistogram();

  // A negative time counts as 0.
  void Add(Nanoseconds time);
  void Add(const LatencyHistogram& other);

  int64_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

  // The smallest time that at least `percent` (0 to 100) of all times do not exceed: the nearest-rank percentile,
  // rounded up to its bucket's end and never above max(). 0 for an empty histogram, as max and mean.
  Nanoseconds Percentile(double percent) const;
  Nanoseconds max() const { return Nanoseconds(max_); }  // exact
  Nanoseconds mean() const;                              // exact

 private:
  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace kith::cli
