// Tune: what it measures is what an index built by the candidate's recipe does.
#include "server/retrieval/tune.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "server/base/status.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/prepare.h"
#include "server/retrieval/tune_plan.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

std::vector<TuneCandidate> MustTune(const TuneOptions& options, const Frames& frames, const Frames& queries = {}) {
  const auto candidates = Tune(options, frames.view(), queries.view(), [](auto&&...) { return true; });
  EXPECT_TRUE(candidates.ok()) << candidates.status();
  return candidates.ok() ? *candidates : std::vector<TuneCandidate>();
}

// What a user gets who trains by the recipe and searches with its defaults.
double RecallAsTrained(const TuneCandidate& candidate, const Frames& frames, const Frames& queries) {
  auto prepared = PrepareFrames(candidate.recipe, frames.view(), [](auto...) { return true; });
  EXPECT_TRUE(prepared.ok()) << prepared.status();
  const Frames& stored = *prepared ? **prepared : frames;
  const auto index = MustBuild(candidate.recipe, stored);
  return Recall(MustSearch(*index, queries.view()),
                ExactNeighbors(stored.view(), queries.view(), candidate.recipe.metric, 8));
}

TEST(TuneTest, FlatIsExactAndTheOthersAreWhatTheirRecipesGive) {
  const Frames frames = SpeechLike(1200, 16);
  const Frames queries = SpeechLike(60, 16, 2);
  for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
    TuneOptions options;
    options.metric = metric;
    const auto candidates = MustTune(options, frames, queries);
    std::set<std::string> kinds;
    for (const TuneCandidate& candidate : candidates) {
      SCOPED_TRACE(TrialName(candidate.recipe));
      kinds.insert(TrialName(candidate.recipe));
      EXPECT_EQ(candidate.recipe.metric, metric);
      EXPECT_EQ(candidate.factory, candidate.recipe.factory);
      EXPECT_GT(candidate.microseconds_per_row, 0);
      EXPECT_GT(candidate.bytes, candidate.rows * 16 * 4);
      EXPECT_EQ(candidate.rows, candidate.recipe.compression ? 300 : 1200);
      EXPECT_NEAR(candidate.recall_at_8, RecallAsTrained(candidate, frames, queries), 0.005);
    }
    EXPECT_EQ(kinds.size(), PlanTrials(1200, 16, metric, 1234).size());
  }
}

TEST(TuneTest, TheBlendTellsWhatRecallCannot) {
  const Frames frames = SpeechLike(1200, 16);
  for (const TuneCandidate& candidate : MustTune({}, frames)) {
    SCOPED_TRACE(TrialName(candidate.recipe));
    if (candidate.factory != "Flat") continue;
    EXPECT_GT(candidate.recall_at_8, 0.999);
    if (candidate.recipe.compression) {
      EXPECT_LT(candidate.blend_cosine, 0.9999);
      EXPECT_GT(candidate.blend_cosine, 0.5);
    } else {
      EXPECT_NEAR(candidate.blend_cosine, 1, 1e-6);
    }
  }
}

TEST(TuneTest, MoreListsFindMoreUntilEnough) {
  std::vector<TuneCandidate> lists;
  for (const TuneCandidate& candidate : MustTune({}, SpeechLike(2000, 32))) {
    const Recipe& recipe = candidate.recipe;
    if (recipe.factory == "IVF51,Flat" && !recipe.expansion) lists.push_back(candidate);
  }
  ASSERT_GE(lists.size(), 3u);
  std::sort(lists.begin(), lists.end(), [](const auto& a, const auto& b) { return a.recipe.nprobe < b.recipe.nprobe; });
  for (size_t i = 1; i < lists.size(); ++i) EXPECT_GE(lists[i].recall_at_8, lists[i - 1].recall_at_8);
  EXPECT_GE(lists.back().recall_at_8, 0.95);
  EXPECT_EQ(lists.front().bytes, lists.back().bytes);  // one index
  EXPECT_EQ(lists.front().build_seconds, lists.back().build_seconds);
}

TEST(TuneTest, FewRowsAreEnough) {
  for (const int64_t rows : {1, 5, 39, 40}) {
    const auto candidates = MustTune({}, SpeechLike(rows, 16));
    ASSERT_FALSE(candidates.empty()) << rows;
    EXPECT_EQ(std::count_if(candidates.begin(), candidates.end(), [](const auto& c) { return c.chosen; }), 1) << rows;
  }
}

TEST(TuneTest, ASampleIsOfThatManyFramesEachOnceAndOtherOnesForAnotherSeed) {
  const Frames frames = SpeechLike(2000, 16);
  const auto index = MustBuild(RecipeOf("Flat"), frames);
  TuneOptions options;
  options.sample = 500;
  const Frames sample = FramesToTune(*index, options);
  ASSERT_EQ(sample.rows(), 500);
  int64_t last = -1;
  for (int64_t i = 0; i < sample.rows(); ++i) {  // in order, so that each can be found behind the one before
    const float* row = sample.view().row(i);
    do ++last;
    while (last < frames.rows() && !std::equal(row, row + 16, frames.view().row(last)));
    ASSERT_LT(last, frames.rows()) << "row " << i;
  }
  EXPECT_GT(last, 1900);
  EXPECT_EQ(FramesToTune(*index, options).values, sample.values);
  options.seed = 5;
  EXPECT_NE(FramesToTune(*index, options).values, sample.values);
}

TEST(TuneTest, NoSampleAndALargerOneAreAllFrames) {
  const Frames frames = SpeechLike(50, 16);
  const auto index = MustBuild(RecipeOf("Flat"), frames);
  TuneOptions options;
  for (const int64_t sample : {0, 50, 5000}) {
    options.sample = sample;
    EXPECT_EQ(FramesToTune(*index, options).values, frames.values);
  }
}

TEST(TuneTest, StopsBeforeTheNextStepWhereverItIs) {
  const Frames frames = SpeechLike(400, 16);
  int steps = 0;
  const auto count = [&](const std::string&, int, int) { return ++steps > 0; };
  ASSERT_TRUE(Tune({}, frames.view(), {}, count).ok());
  const int all = steps;
  ASSERT_GT(all, 20);
  for (int stop_at = 1; stop_at <= all; stop_at += 7) {
    steps = 0;
    const auto stopped = Tune({}, frames.view(), {}, [&](const std::string&, int, int) { return ++steps < stop_at; });
    EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(ReasonOf(stopped.status()), "CANCELLED");
    EXPECT_EQ(steps, stop_at);
  }
}

TEST(TuneTest, LeavesTheThreadsAsTheyWere) {
  SetThreadsOfThisThread(2);
  MustTune({}, SpeechLike(50, 8));
  EXPECT_EQ(ThreadsOfThisThread(), 2);
  SetThreadsOfThisThread(1);
}

TEST(TuneTest, BadParametersAreNamed) {
  const Frames frames = SpeechLike(50, 8);
  const auto failure = [&](TuneOptions options, const Frames& queries = {}) {
    return Tune(options, frames.view(), queries.view(), [](auto&&...) { return true; }).status();
  };
  TuneOptions options;
  options.sample = -1;
  EXPECT_EQ(ReasonOf(failure(options)), "BAD_PARAMETER");
  EXPECT_NE(failure(options).message().find("sample"), std::string::npos);
  for (const double target : {0.0, -0.5, 1.5, std::nan("")}) {
    options = {};
    options.target_recall = target;
    EXPECT_EQ(ReasonOf(failure(options)), "BAD_PARAMETER") << target;
    EXPECT_NE(failure(options).message().find("target_recall"), std::string::npos);
  }
  EXPECT_EQ(ReasonOf(failure({}, SpeechLike(5, 9))), "DIMENSION_MISMATCH");
}

}  // namespace
}  // namespace kith::retrieval
