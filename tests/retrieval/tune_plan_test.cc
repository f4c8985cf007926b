#include "server/retrieval/tune_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/retrieval/prepare.h"

namespace kith::retrieval {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

std::vector<std::string> Names(const std::vector<Trial>& trials) {
  std::vector<std::string> names;
  names.reserve(trials.size());
  for (const Trial& trial : trials) names.push_back(TrialName(trial.recipe));
  return names;
}

TEST(TunePlanTest, TriesEveryKindOfIndexOnce) {
  EXPECT_THAT(Names(PlanTrials(7253, 768, Metric::kL2, 1)),
              ElementsAre("Flat", "IVF185,Flat", "IVF92,Flat", "IVF46,Flat", "IVF185,PQ384x4fs",
                          "IVF185,PQ384x4fs,RFlat", "HNSW32", "compressed to 1813, Flat",
                          "compressed to 1813, IVF46,Flat", "expanded by 8, IVF185,Flat"));
  EXPECT_THAT(
      Names(PlanTrials(100'000, 768, Metric::kCosine, 1)),
      ElementsAre("Flat", "IVF1264,Flat", "IVF2564,Flat", "IVF1264,PQ384x4fs", "IVF1264,PQ384x4fs,RFlat", "HNSW32",
                  "compressed to 10000, Flat", "compressed to 10000, IVF256,Flat", "expanded by 8, IVF2564,Flat"));
  const auto large = Names(PlanTrials(400'000, 768, Metric::kL2, 1));
  EXPECT_THAT(large, Contains("IVF10119,Flat"));
  EXPECT_THAT(large, Contains("IVF10256,Flat"));
  EXPECT_THAT(large, Not(Contains("HNSW32")));
}

TEST(TunePlanTest, TriesOnlyWhatCanBeTrained) {
  EXPECT_THAT(Names(PlanTrials(5, 16, Metric::kL2, 1)), ElementsAre("Flat", "HNSW32"));
  for (const std::string& name : Names(PlanTrials(1000, 15, Metric::kL2, 1))) {
    EXPECT_EQ(name.find("fs"), std::string::npos) << name;  // half of an odd dimension
  }
  for (const int64_t rows : {1, 2, 38, 39, 40, 155, 156, 157, 623, 624, 1600}) {
    for (const Trial& trial : PlanTrials(rows, 16, Metric::kL2, 1)) {
      EXPECT_EQ(*PreparedRows(trial.recipe, rows), trial.rows) << TrialName(trial.recipe);
      EXPECT_TRUE(PlanBuild(trial.recipe, trial.rows, 16).ok()) << TrialName(trial.recipe);
    }
  }
}

TEST(TunePlanTest, NprobeGoesUpToAllLists) {
  const auto sweep = [](int64_t nlist) {
    std::vector<int> tried;
    for (int nprobe = 1; nprobe != 0; nprobe = NextNprobe(nprobe, nlist)) tried.push_back(nprobe);
    return tried;
  };
  EXPECT_THAT(sweep(40), ElementsAre(1, 2, 4, 6, 8, 12, 16, 24, 32, 40));
  EXPECT_THAT(sweep(1), ElementsAre(1));
  EXPECT_THAT(sweep(6), ElementsAre(1, 2, 4, 6));
}

}  // namespace
}  // namespace kith::retrieval
