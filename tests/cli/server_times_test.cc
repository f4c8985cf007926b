#include "client/cli/bench/server_times.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using ::testing::ElementsAre;

Histogram MakeHistogram(std::vector<uint64_t> counts, double sum) {
  Histogram histogram{"kith_block_queue_seconds", {0.001, 0.01, 0.1}, std::move(counts), sum, 0};
  for (const uint64_t count : histogram.counts) histogram.count += count;
  return histogram;
}

TEST(ServerTimesTest, OnlyWhatCameMeanwhileIsObserved) {
  const auto observed = Observed({MakeHistogram({5, 1, 0, 0}, 0.5)}, {MakeHistogram({7, 1, 0, 2}, 2.5)});
  ASSERT_EQ(observed.size(), 1);
  EXPECT_THAT(observed[0].counts, ElementsAre(2, 0, 0, 2));
  EXPECT_EQ(observed[0].count, 4);
  EXPECT_DOUBLE_EQ(observed[0].sum, 2);
}

TEST(ServerTimesTest, AServerThatWasStartedAnewCountsAsAWhole) {
  const Histogram after = MakeHistogram({1, 1, 0, 0}, 0.1);
  EXPECT_THAT(Observed({MakeHistogram({50, 1, 0, 0}, 0.5)}, {after})[0].counts, ElementsAre(1, 1, 0, 0));
  Histogram other = MakeHistogram({1, 0, 0, 0}, 0);
  other.bounds[0] = 0.002;
  EXPECT_THAT(Observed({other}, {after})[0].counts, ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(Observed({}, {after})[0].counts, ElementsAre(1, 1, 0, 0));
}

TEST(ServerTimesTest, PercentilesLieBetweenTheBoundsOfTheirBucket) {
  const Histogram histogram = MakeHistogram({10, 0, 80, 10}, 1);
  EXPECT_DOUBLE_EQ(PercentileOf(histogram, 5), 0.0005);
  EXPECT_DOUBLE_EQ(PercentileOf(histogram, 10), 0.001);
  EXPECT_DOUBLE_EQ(PercentileOf(histogram, 50), 0.01 + 0.09 * 40 / 80);
  EXPECT_DOUBLE_EQ(PercentileOf(histogram, 90), 0.1);
  EXPECT_DOUBLE_EQ(PercentileOf(histogram, 99), 0.1);  // above the last bound
}

TEST(ServerTimesTest, SecondsAreToldAsMillisecondsAndOtherUnitsAsTheyAre) {
  Histogram rows = MakeHistogram({0, 0, 0, 0}, 0);
  rows.name = "kith_batch_rows";
  const Json report = HistogramsJson({MakeHistogram({10, 0, 0, 0}, 0.005), rows});
  EXPECT_EQ(report["block_queue_ms"]["count"], 10);
  EXPECT_DOUBLE_EQ(report["block_queue_ms"]["mean"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(report["block_queue_ms"]["p50"].get<double>(), 0.5);
  EXPECT_EQ(report["batch_rows"]["count"], 0);
  EXPECT_EQ(report["batch_rows"]["p99"], nullptr);
}

}  // namespace
}  // namespace kith::cli
