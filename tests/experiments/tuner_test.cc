#include "server/experiments/tuner.h"

#include <gtest/gtest.h>

#include "server/base/status.h"
#include "tests/experiments/fixture.h"

namespace kith::experiments {
namespace {

using Result = absl::StatusOr<std::vector<retrieval::TuneCandidate>>;

// Can hold the tuning up at its first step.
class TuneRecorder : public TuningObserver {
 public:
  explicit TuneRecorder(bool hold = false) : hold_(hold) {}

  bool OnStep(const std::string&, int, int) override {
    std::unique_lock<std::mutex> lock(mutex_);
    ++steps_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hold_; });
    return true;
  }
  void OnFinished(const Result& result) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    result_ = result;
    changed_.notify_all();
  }

  void WaitUntilHeld() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return steps_ > 0; });
  }
  void LetGo() {
    const std::lock_guard<std::mutex> lock(mutex_);
    hold_ = false;
    changed_.notify_all();
  }
  int steps() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return steps_;
  }
  Result Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value(); });
    return *result_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_;
  int steps_ = 0;
  std::optional<Result> result_;
};

class TunerTest : public ExperimentsTest {
 protected:
  TunerTest() { EXPECT_TRUE(Train("anna", FramesOf(200)).ok()); }

  ~TunerTest() override { places_.clear(); }  // before the trainer

  absl::Status Tune(const std::shared_ptr<TuneRecorder>& recorder, int64_t sample = 0) {
    TuningRequest request;
    request.options.sample = sample;
    request.experiment = "anna";
    request.observer = recorder;
    auto place = StartTuning(trainer_.get(), registry_.get(), std::move(request));
    if (place.ok()) places_.push_back(*std::move(place));
    return place.status();
  }

  std::vector<std::unique_ptr<Trainer::Place>> places_;  // of the tunings, in their order
};

TEST_F(TunerTest, MeasuresInTheMetricOfTheExperiment) {
  retrieval::Recipe recipe;
  recipe.metric = retrieval::Metric::kCosine;
  ASSERT_TRUE(Train("anna", FramesOf(200), recipe).ok());
  const auto recorder = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(recorder).ok());
  const Result result = recorder->Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  for (const auto& candidate : *result) EXPECT_EQ(candidate.recipe.metric, retrieval::Metric::kCosine);
}

TEST_F(TunerTest, TriesASample) {
  const auto recorder = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(recorder, 60).ok());
  const Result result = recorder->Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  for (const auto& candidate : *result) EXPECT_LE(candidate.rows, 60);
}

TEST_F(TunerTest, TheExperimentMayBeAddedToAndDeletedMeanwhile) {
  const auto recorder = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(recorder).ok());
  recorder->WaitUntilHeld();
  EXPECT_TRUE(Add("anna", FramesOf(10, 2).view(), std::nullopt).ok());
  EXPECT_TRUE(Delete("anna").ok());
  recorder->LetGo();
  EXPECT_TRUE(recorder->Wait().ok());
}

TEST_F(TunerTest, WaitsInTheQueueOfTheTrainings) {
  const auto first = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(first).ok());
  first->WaitUntilHeld();
  const auto second = std::make_shared<TuneRecorder>();
  const auto third = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(second).ok());
  ASSERT_TRUE(Tune(third).ok());
  const absl::Status refused = Tune(std::make_shared<TuneRecorder>());
  EXPECT_EQ(ReasonOf(refused), "OVERLOADED");
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_EQ(ReasonOf(Start("berta", FramesOf(50), std::make_shared<Recorder>())), "OVERLOADED");
  first->LetGo();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(third->Wait().ok());
}

TEST_F(TunerTest, APlaceThatIsLetGoOfIsFreeAtOnceAndWhatHadItNeverRuns) {
  const auto running = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(running).ok());
  running->WaitUntilHeld();
  const auto given_up = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(given_up).ok());
  places_.pop_back();
  const auto waiting = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(waiting).ok());
  ASSERT_TRUE(Tune(std::make_shared<TuneRecorder>()).ok());
  EXPECT_EQ(ReasonOf(Tune(std::make_shared<TuneRecorder>())), "OVERLOADED");
  running->LetGo();
  EXPECT_TRUE(waiting->Wait().ok());
  EXPECT_EQ(given_up->steps(), 0);
}

TEST_F(TunerTest, TheEndOfAPlaceDoesNotStopWhatHasBegun) {
  const auto running = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(running).ok());
  running->WaitUntilHeld();
  places_.clear();
  running->LetGo();
  EXPECT_TRUE(running->Wait().ok());
}

TEST_F(TunerTest, EndsWhenNobodyListensAnyMore) {
  auto first = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(first).ok());
  first->WaitUntilHeld();
  auto deserted = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(deserted).ok());
  const std::weak_ptr<TuneRecorder> gone = deserted;
  deserted.reset();
  EXPECT_TRUE(gone.expired());
  first->LetGo();
  EXPECT_TRUE(Train("berta", FramesOf(50)).ok());  // its turn comes behind both
}

TEST_F(TunerTest, CancellingTheTrainerEndsWhatRunsAndWhatWaits) {
  const auto running = std::make_shared<TuneRecorder>(true);
  ASSERT_TRUE(Tune(running).ok());
  running->WaitUntilHeld();
  const auto waiting = std::make_shared<TuneRecorder>();
  ASSERT_TRUE(Tune(waiting).ok());
  trainer_->Cancel();
  running->LetGo();
  EXPECT_EQ(ReasonOf(running->Wait().status()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(waiting->Wait().status()), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace kith::experiments
