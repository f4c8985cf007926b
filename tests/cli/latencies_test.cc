#include "client/cli/stream/latencies.h"

#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;

TEST(LatenciesTest, NearestRank) {
  Latencies latencies;
  for (int i = 100; i >= 1; --i) latencies.Add(milliseconds(i));
  EXPECT_DOUBLE_EQ(latencies.Percentile(50), 50);
  EXPECT_DOUBLE_EQ(latencies.Percentile(95), 95);
  EXPECT_DOUBLE_EQ(latencies.Percentile(99), 99);
  EXPECT_DOUBLE_EQ(latencies.Percentile(100), 100);
}

TEST(LatenciesTest, OneValueIsEveryPercentile) {
  Latencies one;
  one.Add(milliseconds(7));
  Latencies all;
  EXPECT_TRUE(all.empty());
  all.Add(one);
  EXPECT_DOUBLE_EQ(all.Percentile(0), 7);
  EXPECT_DOUBLE_EQ(all.Percentile(99), 7);
}

}  // namespace
}  // namespace kith::cli
