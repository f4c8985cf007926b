// What `auto` and `fastscan` choose, on the real frames of a voice and the queries of other speakers.
#include "server/retrieval/recall.h"

#include <algorithm>
#include <iostream>

#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::RealFrames;
using testing::SpeechLike;

class RealRecall : public ::testing::TestWithParam<Metric> {};

struct Measured {
  double speaker_b;
  double speaker_c;
};

TEST_P(RealRecall, OtherSpeakersGetWhatWasMeasured) {
  const auto voice = RealFrames("voice-a/3_feature768");
  const auto speaker_b = RealFrames("queries/speaker-b_299x768.npy");
  const auto speaker_c = RealFrames("queries/speaker-c_169x768.npy");
  KITH_SKIP_WITHOUT(voice && speaker_b && speaker_c);
  const Neighbors exact_b = ExactNeighbors(voice->view(), speaker_b->view(), GetParam(), 8);
  const Neighbors exact_c = ExactNeighbors(voice->view(), speaker_c->view(), GetParam(), 8);
  const auto measure = [&](const Index& index) {
    const Measured measured{Recall(MustSearch(index, speaker_b->view()), exact_b),
                            Recall(MustSearch(index, speaker_c->view()), exact_c)};
    std::cout << MetricName(index.metric()) << " " << index.report().factory << ": nprobe " << index.report().nprobe
              << " recall_at_8 " << index.report().recall_at_8 << ", speaker B " << measured.speaker_b << ", speaker C "
              << measured.speaker_c << std::endl;
    return measured;
  };

  const auto by_auto = MustBuild(RecipeOf("auto", GetParam()), *voice);
  const Measured with_auto = measure(*by_auto);
  EXPECT_EQ(by_auto->report().factory, "IVF185,Flat");
  EXPECT_GE(by_auto->report().recall_at_8, kTargetRecall);
  EXPECT_LT(by_auto->report().nprobe, 30);  // and not by searching everything
  EXPECT_GE(with_auto.speaker_b, 0.95);
  EXPECT_GE(with_auto.speaker_c, 0.95);
  EXPECT_NEAR(with_auto.speaker_b, by_auto->report().recall_at_8, 0.03);
  EXPECT_NEAR(with_auto.speaker_c, by_auto->report().recall_at_8, 0.03);

  // Codes lose more on the mixtures than on other speakers, so here the report says too little, never too much.
  const auto fastscan = MustBuild(RecipeOf("fastscan", GetParam()), *voice);
  const Measured with_codes = measure(*fastscan);
  EXPECT_EQ(fastscan->report().factory, "IVF185,PQ384x4fs,RFlat");
  EXPECT_GE(with_codes.speaker_b, 0.95);
  EXPECT_GE(with_codes.speaker_c, 0.95);
  EXPECT_GE(with_codes.speaker_b, fastscan->report().recall_at_8 - 0.03);
  EXPECT_GE(with_codes.speaker_c, fastscan->report().recall_at_8 - 0.03);
}

KITH_EVERY_METRIC(RealRecall);

TEST(RecallTest, AnNprobeThatIsGivenIsMeasuredAndKept) {
  Recipe recipe = RecipeOf("auto");
  const Frames frames = SpeechLike(3000, 32);
  recipe.nprobe = 1;
  const BuildReport one = MustBuild(recipe, frames)->report();
  EXPECT_EQ(one.nprobe, 1);
  EXPECT_LT(one.recall_at_8, kTargetRecall);
  recipe.nprobe = 1000;
  const BuildReport all = MustBuild(recipe, frames)->report();
  EXPECT_EQ(all.nprobe, all.nlist);
  EXPECT_GT(all.recall_at_8, 0.995);
}

TEST(RecallTest, ChoosesTheSmallestNprobeThatReachesTheTarget) {
  Recipe recipe = RecipeOf("auto");
  const Frames frames = SpeechLike(3000, 32);
  const BuildReport chosen = MustBuild(recipe, frames)->report();
  EXPECT_GE(chosen.recall_at_8, kTargetRecall);
  ASSERT_GT(chosen.nprobe, 1);
  recipe.nprobe = chosen.nprobe - 1;
  EXPECT_LT(MustBuild(recipe, frames)->report().recall_at_8, kTargetRecall);
}

TEST(RecallTest, WhereCodesLoseTooMuchItStopsAtThePlateau) {
  const Frames frames = SpeechLike(3000, 32);
  Recipe recipe = RecipeOf("IVF64,PQ4x4fs");  // 16 bits a row: hopeless
  const BuildReport chosen = MustBuild(recipe, frames)->report();
  EXPECT_LT(chosen.recall_at_8, kTargetRecall);
  recipe.nprobe = 64;
  EXPECT_GE(chosen.recall_at_8, MustBuild(recipe, frames)->report().recall_at_8 - 0.005);
}

TEST(RecallTest, AsManyNeighboursAsThereAreRows) {
  EXPECT_EQ(MustBuild(RecipeOf("auto"), SpeechLike(3, 16))->report().recall_at_8, 1);
}

}  // namespace
}  // namespace kith::retrieval
