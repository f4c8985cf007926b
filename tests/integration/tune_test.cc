// Tune, over a real server.
#include <algorithm>
#include <cmath>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using RawTune = RawCall<grpc::ClientReader<v1::TuneResponse>>;

const TuneCandidate& Chosen(const std::vector<TuneCandidate>& candidates) {
  const auto chosen = std::find_if(candidates.begin(), candidates.end(), [](const auto& c) { return c.chosen; });
  if (chosen == candidates.end()) throw std::runtime_error("none is chosen");
  return *chosen;
}

class TuneTest : public IntegrationTest {
 protected:
  // `holder`'s training occupies the trainer until the gate opens.
  TuneTest() {
    options_.training.queue = 1;
    options_.training.on_finished = [this](const experiments::TrainingEnd& end) {
      if (end.name == "holder") gate_.Wait();
    };
  }
  ~TuneTest() override { gate_.Open(); }

  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
  }

  void HoldTrainer() {
    const auto frames = SpeechLike(5, 4);
    MemorySource source(View(frames));
    TrainOptions options;
    options.detach = true;
    ASSERT_TRUE(client().Train("holder", source, options).ok());
    WaitUntil([&] { return Get("holder").generation == 1; });
  }

  std::unique_ptr<RawTune> OpenTune(const std::string& name) {
    v1::TuneRequest request;
    request.set_experiment(name);
    return std::make_unique<RawTune>([&](auto* context) { return experiments().Tune(context, request); });
  }

  const retrieval::Frames frames_ = SpeechLike(600, 16);
  Gate gate_;
};

TEST_F(TuneTest, TellsItsStepsAndGivesTheCandidatesFastestFirst) {
  std::vector<TuneProgress> steps;
  TuneOptions options;
  options.queries = View(frames_);
  options.on_progress = [&](const TuneProgress& progress) { steps.push_back(progress); };
  const auto candidates = client().Tune("voice", options);
  ASSERT_TRUE(candidates.ok()) << candidates.status();
  EXPECT_TRUE(std::is_sorted(candidates->begin(), candidates->end(), [](const auto& a, const auto& b) {
    return a.microseconds_per_row < b.microseconds_per_row;
  }));
  ASSERT_FALSE(steps.empty());
  for (size_t i = 1; i < steps.size(); ++i) EXPECT_GE(steps[i].done, steps[i - 1].done);
  for (const TuneCandidate& candidate : *candidates) {
    if (candidate.factory != "Flat" || candidate.recipe.compression) continue;
    EXPECT_GT(candidate.recall_at_8, 0.999);
    EXPECT_NEAR(candidate.blend_cosine, 1, 1e-6);
  }
  EXPECT_EQ(Get("voice").generation, 1);
}

TEST_F(TuneTest, TrainingByTheChosenRecipeGivesThatIndex) {
  TuneOptions options;
  options.target_recall = 0.9;
  const auto candidates = client().Tune("voice", options);
  ASSERT_TRUE(candidates.ok()) << candidates.status();
  std::vector<TuneCandidate> tried = {Chosen(*candidates)};
  const auto compressed = std::find_if(candidates->begin(), candidates->end(),
                                       [](const auto& c) { return c.recipe.compression && c.recipe.nprobe; });
  ASSERT_NE(compressed, candidates->end());
  tried.push_back(*compressed);
  for (const TuneCandidate& candidate : tried) {
    TrainOptions train;
    train.recipe = candidate.recipe;
    const auto built = client().Retrain("voice", train);
    ASSERT_TRUE(built.ok()) << built.status();
    EXPECT_EQ(built->factory, candidate.factory);
    EXPECT_EQ(built->nprobe, candidate.recipe.nprobe.value_or(0));
    EXPECT_EQ(built->k_factor, candidate.recipe.k_factor.value_or(0));
    EXPECT_EQ(built->rows, candidate.rows);
    EXPECT_EQ(built->bytes, candidate.bytes);
  }
}

TEST_F(TuneTest, BadRequestsAreToldAtOnce) {
  HoldTrainer();  // nothing of this needs a turn
  EXPECT_THAT(client().Tune("nobody").status(),
              FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "nobody"));
  const auto failure = [&](const TuneOptions& options) { return client().Tune("voice", options).status(); };
  TuneOptions options;
  const auto wide = SpeechLike(3, 17);
  options.queries = View(wide);
  EXPECT_THAT(failure(options), IsInvalid("DIMENSION_MISMATCH", "17"));
  auto bad = SpeechLike(3, 16);
  bad.values[20] = std::nanf("");
  options.queries = View(bad);
  EXPECT_THAT(failure(options), IsInvalid("NOT_FINITE", "row 1"));
  const auto many = SpeechLike(8193, 16);
  options.queries = View(many);
  EXPECT_THAT(failure(options), IsInvalid("BAD_PARAMETER", "8193"));
  options = {};
  options.sample = -1;
  EXPECT_THAT(failure(options), IsInvalid("BAD_PARAMETER", "sample"));
  options = {};
  options.target_recall = 0;
  EXPECT_THAT(failure(options), IsInvalid("BAD_PARAMETER", "target_recall"));
  options.target_recall = 1.01;
  EXPECT_THAT(failure(options), IsInvalid("BAD_PARAMETER", "target_recall"));
}

TEST_F(TuneTest, IsRefusedWhereTooManyTrainingsWait) {
  HoldTrainer();
  const auto waiting = OpenTune("voice");
  v1::TuneResponse response;
  ASSERT_TRUE((*waiting)->Read(&response));
  EXPECT_EQ(response.step(), "waiting");
  const absl::Status refused = client().Tune("voice").status();
  EXPECT_THAT(refused, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "wait"));
  EXPECT_TRUE(RetryDelay(refused).has_value());
}

TEST_F(TuneTest, AClientThatGoesAwayWhileItWaitsGivesItsPlaceBack) {
  HoldTrainer();
  auto waiting = OpenTune("voice");
  v1::TuneResponse response;
  ASSERT_TRUE((*waiting)->Read(&response));
  EXPECT_THAT(client().Tune("voice").status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "tunings"));
  waiting->GoAway();
  WaitUntil([&] {
    waiting = OpenTune("voice");
    return (*waiting)->Read(&response);
  });
  EXPECT_EQ(response.step(), "waiting") << "the trainer is still held";
}

TEST_F(TuneTest, AClientThatGoesAwayEndsIt) {
  auto tune = OpenTune("voice");
  v1::TuneResponse response;
  do {
    ASSERT_TRUE((*tune)->Read(&response));
  } while (response.total() == 0);
  tune->GoAway();
  while ((*tune)->Read(&response)) {
  }
  EXPECT_EQ(tune->Finish().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Train("other", SpeechLike(5, 4)).generation, 1);  // the trainer is free again
}

TEST_F(TuneTest, TheClientsCancellationEndsIt) {
  Cancellation cancellation;
  CallOptions call;
  call.cancellation = &cancellation;
  TuneOptions options;
  options.on_progress = [&](const TuneProgress&) { cancellation.Cancel(); };
  EXPECT_EQ(client().Tune("voice", options, call).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(TuneTest, SearchesAndChangesGoOnMeanwhile) {
  HoldTrainer();
  auto tune = OpenTune("voice");
  v1::TuneResponse response;
  ASSERT_TRUE((*tune)->Read(&response));
  EXPECT_EQ(Search("voice", Rows(frames_, 7, 1)).ids.front(), 7);
  EXPECT_EQ(Add("voice", SpeechLike(5, 16, 2)).total_rows, 605);
  gate_.Open();
  while (response.total() == 0 && (*tune)->Read(&response)) {
  }
  EXPECT_TRUE(client().Delete("voice").ok());
  while ((*tune)->Read(&response)) {
  }
  EXPECT_TRUE(tune->Finish().ok());
  EXPECT_GT(response.candidates_size(), 10);
}

TEST_F(TuneTest, ADrainEndsItAtOnce) {
  HoldTrainer();
  auto tune = OpenTune("voice");
  v1::TuneResponse response;
  ASSERT_TRUE((*tune)->Read(&response));
  service().server().Drain(std::chrono::minutes(5));
  while ((*tune)->Read(&response)) {
  }
  EXPECT_THAT(tune->Finish(), FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "again"));
}

}  // namespace
}  // namespace kith::testing
