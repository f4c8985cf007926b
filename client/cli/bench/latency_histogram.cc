#include "client/cli/bench/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace kith::cli {
namespace {

constexpr int kBits = 8;
constexpr int64_t kParts = int64_t{1} << kBits;  // of a doubling
constexpr size_t kBuckets = (63 - kBits + 1) * kParts;

// The low bits that the bucket of `time` does not tell apart.
int Shift(int64_t time) {
  const int highest = 63 - __builtin_clzll(static_cast<uint64_t>(time) | 1);
  return std::max(0, highest - kBits);
}

size_t BucketOf(int64_t time) {
  const int shift = Shift(time);
  return static_cast<size_t>(shift * kParts + (time >> shift));
}

int64_t LastOf(size_t bucket) {
  const auto number = static_cast<int64_t>(bucket);
  if (number < 2 * kParts) return number;
  const int64_t shift = number / kParts - 1;
  return ((number - shift * kParts + 1) << shift) - 1;
}

}  // namespace

LatencyHistogram::LatencyHistogram() : counts_(kBuckets) {}

void LatencyHistogram::Add(Nanoseconds time) {
  const int64_t value = std::max<int64_t>(time.count(), 0);
  ++counts_[BucketOf(value)];
  ++count_;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

LatencyHistogram::Nanoseconds LatencyHistogram::Percentile(double percent) const {
  const auto rank = static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  int64_t left = std::clamp<int64_t>(rank, 1, std::max<int64_t>(count_, 1));
  for (size_t i = 0; i < counts_.size(); ++i) {
    left -= counts_[i];
    if (left <= 0) return Nanoseconds(std::min(LastOf(i), max_));
  }
  return Nanoseconds(max_);
}

LatencyHistogram::Nanoseconds LatencyHistogram::mean() const {
  return Nanoseconds(empty() ? 0 : std::llround(sum_ / static_cast<double>(count_)));
}

}  // namespace kith::cli
