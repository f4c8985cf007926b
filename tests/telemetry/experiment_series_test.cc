#include "server/telemetry/experiment_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace kith::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// Updates as a server's, a minute apart, with `blocks` answered by experiment since the start.
class ExperimentSeriesTest : public ::testing::Test {
 protected:
  std::map<std::string, int64_t> Update(const std::map<std::string, int64_t>& blocks) {
    std::vector<ExperimentCounts> counts;
    for (const auto& [name, number] : blocks) counts.push_back({name, number, 16 * number, 0, 0, 0});
    now_ += std::chrono::minutes(1);
    std::map<std::string, int64_t> shown;
    for (const ExperimentCounts& series : series_.Update([&] { return counts; }, now_)) {
      EXPECT_EQ(series.rows, 16 * series.blocks);
      EXPECT_TRUE(shown.emplace(series.experiment, series.blocks).second) << series.experiment << " twice";
    }
    return shown;
  }

  ExperimentSeries series_{2};
  TimePoint now_ = Clock::now();
};

TEST_F(ExperimentSeriesTest, WhereThereIsRoomEachHasItsOwn) {
  EXPECT_THAT(Update({}), ElementsAre(Pair("other", 0)));
  EXPECT_THAT(Update({{"anna", 3}, {"bob", 4}}), ElementsAre(Pair("anna", 3), Pair("bob", 4), Pair("other", 0)));
  EXPECT_THAT(Update({{"anna", 5}, {"bob", 4}}), ElementsAre(Pair("anna", 5), Pair("bob", 4), Pair("other", 0)));
}

TEST_F(ExperimentSeriesTest, TheBusiestHaveTheirOwnAndNoneEverFalls) {
  Update({{"anna", 1000}, {"bob", 10}, {"carl", 11}});
  EXPECT_THAT(Update({{"anna", 1001}, {"bob", 10}, {"carl", 12}}),
              ElementsAre(Pair("anna", 1001), Pair("bob", 10), Pair("other", 12)))
      << "slightly busier is not enough";
  EXPECT_THAT(Update({{"anna", 1002}, {"bob", 10}, {"carl", 500}}),
              ElementsAre(Pair("anna", 1002), Pair("carl", 0), Pair("other", 500)))
      << "what was counted with the others stays there";
  EXPECT_THAT(Update({{"anna", 1002}, {"bob", 12}, {"carl", 600}}),
              ElementsAre(Pair("anna", 1002), Pair("carl", 100), Pair("other", 502)));
}

TEST_F(ExperimentSeriesTest, WhoFallsSilentMakesRoomForOthers) {
  Update({{"anna", 1000}, {"bob", 1000}, {"carl", 0}});
  std::map<std::string, int64_t> shown;
  int64_t carl = 0;
  while (shown.count("carl") == 0 && carl < 1000) shown = Update({{"anna", 1000}, {"bob", 1000}, {"carl", carl += 10}});
  EXPECT_LT(carl, 500);
  EXPECT_EQ(shown.size(), 3);
}

TEST_F(ExperimentSeriesTest, TheSeriesOfOneThatIsDeletedGoes) {
  Update({{"anna", 10}, {"bob", 20}, {"carl", 5}});
  EXPECT_THAT(Update({{"bob", 20}, {"carl", 6}}), ElementsAre(Pair("bob", 20), Pair("carl", 0), Pair("other", 6)));
  EXPECT_THAT(Update({}), ElementsAre(Pair("other", 6)));
  EXPECT_THAT(Update({{"anna", 2}}), ElementsAre(Pair("anna", 2), Pair("other", 6))) << "a new one of the old name";
}

TEST_F(ExperimentSeriesTest, ANewOneOfAnOldNameGoesOn) {
  Update({{"anna", 10}});
  EXPECT_THAT(Update({{"anna", 3}}), ElementsAre(Pair("anna", 13), Pair("other", 0)));
}

TEST_F(ExperimentSeriesTest, OneThatIsCalledOtherIsAmongTheOthers) {
  EXPECT_THAT(Update({{"anna", 1}, {"other", 7}}), ElementsAre(Pair("anna", 1), Pair("other", 7)));
}

TEST(ExperimentSeries, NoneHasItsOwnWhereNoneMay) {
  ExperimentSeries series(0);
  const auto shown = series.Update(
      [] {
        return std::vector<ExperimentCounts>{{"anna", 3, 0, 0, 0, 0}, {"bob", 4, 0, 0, 0, 0}};
      },
      Clock::now());
  ASSERT_EQ(shown.size(), 1);
  EXPECT_EQ(shown[0].experiment, kOtherExperiments);
  EXPECT_EQ(shown[0].blocks, 7);
}

TEST(ExperimentSeries, ThoseThatAskAtOnceCountEverythingOnce) {
  ExperimentSeries series(1);
  int64_t blocks = 0;  // read and changed by `read` alone, which only one at a time is in
  const auto ask = [&] {
    for (int i = 0; i < 10'000; ++i) {
      series.Update([&] { return std::vector<ExperimentCounts>{{"anna", ++blocks, 0, 0, 0, 0}}; }, Clock::now());
    }
  };
  std::thread other(ask);
  ask();
  other.join();
  const auto shown = series.Update([&] { return std::vector<ExperimentCounts>{{"anna", blocks, 0, 0, 0, 0}}; }, {});
  EXPECT_EQ(shown.front().blocks, 20'000);
}

}  // namespace
}  // namespace kith::telemetry
