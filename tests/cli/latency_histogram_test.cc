#include "client/cli/bench/latency_histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::nanoseconds;

// By sorting, from the definition.
int64_t NearestRank(std::vector<int64_t> times, double percent) {
  std::sort(times.begin(), times.end());
  const auto rank = static_cast<int64_t>(std::ceil(percent / 100 * static_cast<double>(times.size())));
  return times[static_cast<size_t>(std::max<int64_t>(rank, 1) - 1)];
}

LatencyHistogram HistogramOf(const std::vector<int64_t>& times) {
  LatencyHistogram histogram;
  for (const int64_t time : times) histogram.Add(nanoseconds(time));
  return histogram;
}

// From a nanosecond to an hour, as many in each decade.
std::vector<int64_t> ManyTimes(uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> exponent(0, std::log10(3.6e12));
  std::vector<int64_t> times;
  for (int i = 0; i < count; ++i) times.push_back(static_cast<int64_t>(std::pow(10, exponent(random))));
  return times;
}

constexpr double kPercents[] = {0, 0.1, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100};

TEST(LatencyHistogramTest, PercentilesAreThoseOfTheSortedTimesToA256th) {
  for (const int count : {1, 2, 3, 10, 999, 20000}) {
    const std::vector<int64_t> times = ManyTimes(count, count);
    const LatencyHistogram histogram = HistogramOf(times);
    for (const double percent : kPercents) {
      const int64_t exact = NearestRank(times, percent);
      const int64_t told = histogram.Percentile(percent).count();
      EXPECT_GE(told, exact) << count << " times, p" << percent;
      EXPECT_LE(told - exact, exact / 256) << count << " times, p" << percent;
    }
  }
}

TEST(LatencyHistogramTest, ShortTimesAndTheLongestAreExact) {
  std::vector<int64_t> times;
  for (int64_t time = 0; time < 512; ++time) times.push_back(time);
  const LatencyHistogram histogram = HistogramOf(times);
  for (const double percent : kPercents) EXPECT_EQ(histogram.Percentile(percent).count(), NearestRank(times, percent));

  const LatencyHistogram one = HistogramOf({1234567891234567});
  EXPECT_EQ(one.Percentile(100).count(), 1234567891234567);
  EXPECT_EQ(one.Percentile(50).count(), 1234567891234567);
  EXPECT_EQ(HistogramOf({INT64_MAX}).Percentile(100).count(), INT64_MAX);
}

TEST(LatencyHistogramTest, MeanAndMaximumAreExact) {
  const LatencyHistogram histogram = HistogramOf({1000001, 2000002, 6000006});
  EXPECT_EQ(histogram.mean().count(), 3000003);
  EXPECT_EQ(histogram.max().count(), 6000006);
  EXPECT_EQ(histogram.count(), 3);
}

TEST(LatencyHistogramTest, NothingIsZeroAndANegativeTimeCountsAsZero) {
  const LatencyHistogram empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_EQ(empty.Percentile(99).count(), 0);
  EXPECT_EQ(empty.mean().count(), 0);
  const LatencyHistogram negative = HistogramOf({-5});
  EXPECT_EQ(negative.count(), 1);
  EXPECT_EQ(negative.max().count(), 0);
}

TEST(LatencyHistogramTest, TwoPutTogetherAreAsOneOfAllTimes) {
  const std::vector<int64_t> some = ManyTimes(1, 500);
  const std::vector<int64_t> others = ManyTimes(2, 700);
  std::vector<int64_t> all = some;
  all.insert(all.end(), others.begin(), others.end());
  LatencyHistogram sum = HistogramOf(some);
  sum.Add(HistogramOf(others));
  const LatencyHistogram whole = HistogramOf(all);
  EXPECT_EQ(sum.count(), 1200);
  EXPECT_EQ(sum.max(), whole.max());
  for (const double percent : kPercents) EXPECT_EQ(sum.Percentile(percent), whole.Percentile(percent)) << percent;
}

}  // namespace
}  // namespace kith::cli
