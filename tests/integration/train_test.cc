// What a training gives, and how it is told of.
#include <map>
#include <vector>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::Ge;

using TrainTest = IntegrationTest;

TEST_F(TrainTest, TellsWhatWasBuilt) {
  const auto frames = SpeechLike(2000, 32);
  const Experiment built = Train("voice", frames);
  EXPECT_EQ(built.name, "voice");
  EXPECT_EQ(built.state, Experiment::State::kReady);
  EXPECT_FALSE(built.training);
  EXPECT_EQ(built.rows, 2000);
  EXPECT_EQ(built.dimension, 32);
  EXPECT_EQ(built.metric, Metric::kL2);
  EXPECT_EQ(built.recipe, "auto");
  EXPECT_EQ(built.factory, "IVF51,Flat");  // min(int(16 sqrt 2000), 2000 / 39)
  EXPECT_EQ(built.nlist, 51);
  EXPECT_THAT(built.nprobe, Ge(1));
  EXPECT_THAT(built.recall_at_8, Ge(0.9));
  EXPECT_EQ(built.seed, 1234);
  EXPECT_EQ(built.generation, 1);
  EXPECT_THAT(built.bytes, Ge(2000 * 32 * 4));
  EXPECT_TRUE(built.resident);
  EXPECT_LT(absl::Now() - built.created, absl::Hours(1));
  EXPECT_EQ(Get("voice").generation, 1);
}

TEST_F(TrainTest, TakesARecipesEveryField) {
  Recipe recipe;
  recipe.factory = "IVF10,PQ8x4fs,RFlat";
  recipe.metric = Metric::kCosine;
  recipe.nprobe = 4;
  recipe.k_factor = 6;
  recipe.seed = 0;
  const Experiment built = Train("voice", SpeechLike(1000, 32), recipe);
  EXPECT_EQ(built.recipe, "");
  EXPECT_EQ(built.factory, "IVF10,PQ8x4fs,RFlat");
  EXPECT_EQ(built.metric, Metric::kCosine);
  EXPECT_EQ(built.nprobe, 4);
  EXPECT_EQ(built.k_factor, 6);
  EXPECT_EQ(built.seed, 0);
}

TEST_F(TrainTest, EveryRecipeTrainsOnFewerRowsThanOneListNeeds) {
  for (const char* name : {"auto", "rvc", "rvc-2023", "fastscan"}) {
    for (const int64_t rows : {1, 38}) {
      Recipe recipe;
      recipe.name = name;
      const auto frames = SpeechLike(rows, 16);
      const Experiment built = Train("voice", frames, recipe);
      EXPECT_EQ(built.factory, "Flat") << name;
      EXPECT_EQ(built.nlist, 0);
      SearchParams nearest;
      nearest.k = 1;
      const SearchResult found = Search("voice", Rows(frames, rows - 1, 1), nearest);
      EXPECT_THAT(found.ids, ElementsAre(rows - 1)) << name;
    }
  }
}

TEST_F(TrainTest, ReplacesWhatTheExperimentHeldEvenByAnotherDimension) {
  Train("voice", SpeechLike(100, 16));
  Add("voice", SpeechLike(10, 16, 2));
  const auto frames = SpeechLike(50, 24);
  const Experiment built = Train("voice", frames);
  EXPECT_EQ(built.generation, 2);
  EXPECT_EQ(built.rows, 50);
  EXPECT_EQ(built.dimension, 24);
  EXPECT_EQ(Search("voice", Rows(frames, 0, 1)).generation, 2);
  EXPECT_THAT(client().Search("voice", View(SpeechLike(1, 16))).status(), IsInvalid("DIMENSION_MISMATCH", "24"));
}

TEST_F(TrainTest, KeepsTheTimeOfTheFirstTrainingAndTellsThatOfTheLast) {
  const Experiment first = Train("voice", SpeechLike(50, 16));
  const Experiment second = Train("voice", SpeechLike(50, 16));
  EXPECT_EQ(second.created, first.created);
  EXPECT_GT(second.updated, first.updated);
}

// Progress that the connection cannot keep up with is left out, so one training may not show every phase.
TEST_F(TrainTest, ReportsItsPhasesInOrderWithTheirCounts) {
  const auto frames = SpeechLike(5000, 32);
  std::map<TrainPhase, TrainProgress> seen;
  const std::vector<TrainPhase> wanted = {TrainPhase::kReceiving, TrainPhase::kQueued,    TrainPhase::kTraining,
                                          TrainPhase::kAdding,    TrainPhase::kMeasuring, TrainPhase::kSaving,
                                          TrainPhase::kDone};
  for (int attempt = 0; attempt < 50 && seen.size() < wanted.size(); ++attempt) {
    MemorySource source(View(frames));
    std::vector<TrainProgress> steps;
    TrainOptions options;
    options.on_progress = [&](const TrainProgress& step) { steps.push_back(step); };
    ASSERT_TRUE(client().Train("voice", source, options).ok());
    ASSERT_FALSE(steps.empty());
    EXPECT_EQ(steps.front().phase, TrainPhase::kReceiving);
    EXPECT_EQ(steps.back().phase, TrainPhase::kDone);
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i > 0) {
        EXPECT_GE(steps[i].phase, steps[i - 1].phase);
      }
      if (i > 0 && steps[i].phase == steps[i - 1].phase) {
        EXPECT_GE(steps[i].done, steps[i - 1].done);
      }
      EXPECT_GE(steps[i].done, 0);
      if (steps[i].total > 0) {
        EXPECT_LE(steps[i].done, steps[i].total);
      }
      seen[steps[i].phase] = steps[i];
    }
  }
  for (const TrainPhase phase : wanted) EXPECT_TRUE(seen.count(phase) > 0) << PhaseName(phase);
  EXPECT_EQ(seen[TrainPhase::kReceiving].done, 5000);
  EXPECT_EQ(seen[TrainPhase::kReceiving].total, 5000);
  EXPECT_THAT(seen[TrainPhase::kTraining].total, Ge(1));
  EXPECT_EQ(seen[TrainPhase::kAdding].total, 5000);
  EXPECT_THAT(seen[TrainPhase::kSaving].done, Ge(5000 * 32 * 4));
}

using RetrainTest = IntegrationTest;

TEST_F(RetrainTest, WithoutFramesTakesTheStoredOnesAndTheAdditionsAndTheRecipe) {
  const auto frames = SpeechLike(200, 16);
  const auto more = SpeechLike(100, 16, 2);
  Recipe recipe;
  recipe.factory = "IVF4,Flat";
  recipe.metric = Metric::kCosine;
  recipe.nprobe = 2;
  recipe.seed = 7;
  Train("voice", frames, recipe);
  Add("voice", more);

  const auto built = client().Retrain("voice");
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->generation, 2);
  EXPECT_EQ(built->rows, 300);
  EXPECT_EQ(built->factory, "IVF4,Flat");
  EXPECT_EQ(built->metric, Metric::kCosine);
  EXPECT_EQ(built->nprobe, 2);
  EXPECT_EQ(built->seed, 7);

  const auto all = Joined(frames, more);
  retrieval::Recipe same;
  same.factory = "IVF4,Flat";
  same.metric = retrieval::Metric::kCosine;
  same.nprobe = 2;
  same.seed = 7;
  const auto here = BuildHere(same, all);
  const auto queries = QueriesNear(all, 40, 3);
  ExpectSame(Search("voice", queries), SearchHere(*here, queries));
  Restart();
  EXPECT_EQ(Get("voice").rows, 300);
  ExpectSame(Search("voice", queries), SearchHere(*here, queries));
}

TEST_F(RetrainTest, WithoutFramesButWithARecipeTakesThatRecipe) {
  Recipe recipe;
  recipe.factory = "Flat";
  recipe.metric = Metric::kCosine;
  Train("voice", SpeechLike(200, 16), recipe);
  TrainOptions options;
  options.recipe = Recipe();
  options.recipe->name = "rvc";
  const auto built = client().Retrain("voice", options);
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->recipe, "rvc");
  EXPECT_EQ(built->metric, Metric::kL2);
  EXPECT_EQ(built->rows, 200);
}

TEST_F(RetrainTest, OfAnUnknownExperimentIsNotFoundAndMakesNone) {
  EXPECT_THAT(client().Retrain("nobody").status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "nobody"));
  EXPECT_TRUE(client().List()->empty());
}

class TrainRequestIdTest : public IntegrationTest {
 protected:
  absl::StatusOr<Experiment> TrainAs(const std::string& request_id, const retrieval::Frames& frames,
                                     const Recipe& recipe = {}) {
    MemorySource source(View(frames));
    TrainOptions options;
    options.recipe = recipe;
    options.request_id = request_id;
    return client().Train("voice", source, options);
  }
};

TEST_F(TrainRequestIdTest, TheSameContentTrainsOnce) {
  const auto frames = SpeechLike(100, 16);
  const auto first = TrainAs("id", frames);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->generation, 1);
  const auto second = TrainAs("id", frames);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->generation, 1);
  EXPECT_FALSE(second->training);
  EXPECT_EQ(second->rows, 100);
  EXPECT_FALSE(Get("voice").training);
  EXPECT_EQ(Get("voice").generation, 1);
}

TEST_F(TrainRequestIdTest, OtherFramesOrAnotherRecipeAreRefusedAndNothingChanges) {
  const auto frames = SpeechLike(100, 16);
  ASSERT_TRUE(TrainAs("id", frames).ok());
  EXPECT_THAT(TrainAs("id", SpeechLike(100, 16, 2)).status(),
              FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "use a new one"));
  Recipe recipe;
  recipe.name = "rvc";
  EXPECT_THAT(TrainAs("id", frames, recipe).status(),
              FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "id"));
  EXPECT_EQ(Get("voice").generation, 1);
  EXPECT_FALSE(Get("voice").training);
  EXPECT_EQ(TrainAs("other", frames)->generation, 2);
}

TEST_F(TrainRequestIdTest, AnIdOfAnAddIsTakenToo) {
  const auto frames = SpeechLike(100, 16);
  Train("voice", frames);
  Add("voice", frames, "id");
  EXPECT_THAT(TrainAs("id", frames).status(), FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "id"));
  EXPECT_EQ(Get("voice").rows, 200);
}

TEST_F(TrainRequestIdTest, AFailedTrainingDoesNotUseItUp) {
  Recipe recipe;
  recipe.factory = "IVF500,Flat";
  EXPECT_THAT(TrainAs("id", SpeechLike(100, 16), recipe).status(), IsInvalid("BAD_PARAMETER", "500"));
  EXPECT_TRUE(TrainAs("id", SpeechLike(100, 16)).ok());
}

}  // namespace
}  // namespace kith::testing
