// Compression and expansion of the frames, asked for over the API.
#include <cmath>
#include <set>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAre;

Recipe Preparing(int64_t centres, int neighbors) {
  Recipe recipe;
  recipe.compression = Compression{centres, {}, {}};
  recipe.expansion = Expansion{neighbors, 2.5f, false};
  return recipe;
}

using PrepareTest = IntegrationTest;

TEST_F(PrepareTest, StoresTheOutcomeAndTellsOfIt) {
  const auto frames = SpeechLike(2000, 32);
  std::set<TrainPhase> seen;
  for (int attempt = 0; attempt < 50 && seen.size() < 2; ++attempt) {  // progress may be left out on a slow connection
    MemorySource source(View(frames));
    TrainOptions options;
    options.recipe = Preparing(300, 5);
    options.on_progress = [&](const TrainProgress& step) {
      if (step.phase == TrainPhase::kCompressing || step.phase == TrainPhase::kExpanding) seen.insert(step.phase);
    };
    ASSERT_TRUE(client().Train("voice", source, options).ok());
  }
  EXPECT_THAT(seen, ElementsAre(TrainPhase::kCompressing, TrainPhase::kExpanding));

  const auto expect_prepared = [this] {
    const Experiment experiment = Get("voice");
    EXPECT_EQ(experiment.rows, 300);
    ASSERT_TRUE(experiment.compression && experiment.expansion);
    EXPECT_EQ(experiment.compression->centres, 300);
    EXPECT_EQ(experiment.expansion->neighbors, 5);
    EXPECT_EQ(experiment.expansion->alpha, 2.5f);
    EXPECT_FALSE(experiment.expansion->unit_norm);
  };
  expect_prepared();
  const SearchResult before = Search("voice", Rows(frames, 0, 20));
  for (const int64_t id : before.ids) EXPECT_LT(id, 300);
  Restart();
  expect_prepared();
  EXPECT_EQ(Search("voice", Rows(frames, 0, 20)).ids, before.ids);
}

TEST_F(PrepareTest, ARetrainingRepeatsItOnlyWhereAsked) {
  Train("voice", SpeechLike(500, 16), Preparing(100, 4));
  Add("voice", SpeechLike(7, 16, 2));
  const auto again = client().Retrain("voice");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->rows, 107);
  EXPECT_FALSE(again->compression || again->expansion);
  TrainOptions options;
  options.recipe = Preparing(50, 3);
  const auto smaller = client().Retrain("voice", options);
  ASSERT_TRUE(smaller.ok()) << smaller.status();
  EXPECT_EQ(smaller->rows, 50);
}

TEST_F(PrepareTest, BadParametersAreNamedAndLeaveNothing) {
  const auto frames = SpeechLike(100, 16);
  const auto refusal = [&](const Recipe& recipe) {
    MemorySource source(View(frames));
    TrainOptions options;
    options.recipe = recipe;
    return client().Train("voice", source, options).status();
  };
  EXPECT_THAT(refusal(Preparing(101, 4)), IsInvalid("BAD_PARAMETER", "recipe.compression.centres: 101"));
  EXPECT_THAT(refusal(Preparing(20, 21)), IsInvalid("BAD_PARAMETER", "recipe.expansion.neighbors: 21"));
  Recipe recipe = Preparing(20, 4);
  recipe.expansion->alpha = std::nanf("");
  EXPECT_THAT(refusal(recipe), IsInvalid("BAD_PARAMETER", "recipe.expansion.alpha"));
  recipe = Preparing(20, 4);
  recipe.compression->iterations = 0;
  EXPECT_THAT(refusal(recipe), IsInvalid("BAD_PARAMETER", "recipe.compression.iterations"));
  recipe = Preparing(20, 4);
  recipe.factory = "IVF30,Flat";  // more lists than there are centres
  EXPECT_THAT(refusal(recipe), IsInvalid("BAD_PARAMETER", "30"));
  EXPECT_TRUE(client().List()->empty());
}

TEST_F(PrepareTest, AutoCompressesAsConfigured) {
  options_.training.compress_above_rows = 400;
  options_.training.compress_centres = 90;
  Restart();
  EXPECT_EQ(Train("small", SpeechLike(400, 16)).rows, 400);
  const Experiment large = Train("large", SpeechLike(401, 16));
  EXPECT_EQ(large.rows, 90);
  ASSERT_TRUE(large.compression.has_value());
  EXPECT_EQ(large.compression->centres, 90);
}

}  // namespace
}  // namespace kith::testing
