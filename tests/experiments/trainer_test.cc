#include "server/experiments/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/base/status.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/platform.h"
#include "tests/experiments/fixture.h"

namespace kith::experiments {
namespace {

using ::testing::ElementsAre;
using TrainerTest = ExperimentsTest;

TEST_F(TrainerTest, GoesThroughItsPhasesAndSaysWhatWasBuilt) {
  const auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("anna", FramesOf(400), recorder).ok());
  const auto result = recorder->Result();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->record.name, "anna");
  EXPECT_EQ(result->state, State::kReady);
  EXPECT_FALSE(result->training);
  EXPECT_EQ(result->generation->number, 1);
  EXPECT_EQ(result->generation->index->rows(), 400);
  EXPECT_THAT(recorder->phases(),
              ElementsAre(Phase::kQueued, Phase::kTraining, Phase::kAdding, Phase::kMeasuring, Phase::kSaving));
}

TEST_F(TrainerTest, TellsHowFarWhatRunsAndWhatWaitsIs) {
  EXPECT_TRUE(trainer_->Progress().empty());
  const auto running = std::make_shared<Recorder>();
  running->HoldAt(Phase::kAdding);
  ASSERT_TRUE(Start("anna", FramesOf(400), running).ok());
  running->WaitUntilHeld();
  const auto waiting = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("berta", FramesOf(50), waiting).ok());
  std::vector<TrainingProgress> progress = trainer_->Progress();
  ASSERT_EQ(progress.size(), 2);
  if (!progress[0].running) std::swap(progress[0], progress[1]);
  EXPECT_EQ(progress[0].experiment, "anna");
  EXPECT_TRUE(progress[0].running);
  EXPECT_FALSE(progress[0].is_import);
  EXPECT_STREQ(PhaseName(progress[0].phase), "adding");
  EXPECT_EQ(progress[0].total, 400);
  EXPECT_LE(progress[0].done, 400);
  EXPECT_EQ(progress[1].experiment, "berta");
  EXPECT_FALSE(progress[1].running);
  EXPECT_EQ(progress[1].phase, Phase::kQueued);
  running->LetGo();
  ASSERT_TRUE(waiting->Result().ok());
  trainer_->WaitUntilIdle(kNoDeadline, kNoDeadline);
  EXPECT_TRUE(trainer_->Progress().empty());
}

TEST_F(TrainerTest, TheObserverMayGoAway) {
  auto recorder = std::make_shared<Recorder>();
  recorder->HoldAt(Phase::kTraining);
  ASSERT_TRUE(Start("anna", FramesOf(400), recorder).ok());
  recorder->WaitUntilHeld();
  recorder->LetGo();
  recorder.reset();
  ASSERT_TRUE(Train("berta", FramesOf(50)).ok());  // its turn comes when that of anna is over
  EXPECT_TRUE(Find("anna").ok());
}

TEST_F(TrainerTest, ReplacesTheGenerationAndItsAdditions) {
  ASSERT_TRUE(Train("anna", FramesOf(100, 1)).ok());
  ASSERT_TRUE(Add("anna", FramesOf(10, 2).view(), std::nullopt).ok());
  const auto result = Train("anna", FramesOf(50, 3));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->generation->number, 2);
  Close();
  Open();
  EXPECT_EQ((*Find("anna"))->index->rows(), 50);
}

TEST_F(TrainerTest, WithoutFramesTrainsOnTheStoredOnesAdditionsIncludedByTheirRecipe) {
  retrieval::Recipe recipe;
  recipe.name = "rvc";
  ASSERT_TRUE(Train("anna", FramesOf(100, 1), recipe).ok());
  ASSERT_TRUE(Add("anna", FramesOf(60, 2).view(), std::nullopt).ok());
  const auto result = Train("anna", {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->generation->recipe.name, "rvc");
  EXPECT_EQ(result->generation->index->report().nlist, 160 / 39);
  EXPECT_EQ(Nearest("anna", FramesOf(60, 2).view().Slice(59, 1)).first, 159);
}

retrieval::Recipe Preparing() {
  retrieval::Recipe recipe;
  recipe.factory = "Flat";
  recipe.compression = retrieval::Compression{80, std::nullopt, std::nullopt};
  recipe.expansion = retrieval::Expansion{4, 3, true};
  return recipe;
}

TEST_F(TrainerTest, WhatIsStoredAndIndexedAreThePreparedFrames) {
  const auto recorder = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("anna", FramesOf(400), recorder, Preparing()).ok());
  const auto result = recorder->Result();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(recorder->phases(), ElementsAre(Phase::kQueued, Phase::kCompressing, Phase::kExpanding, Phase::kTraining,
                                              Phase::kAdding, Phase::kMeasuring, Phase::kSaving));
  const retrieval::Frames stored = result->generation->index->CopyFrames();
  ASSERT_EQ(stored.rows(), 80);
  for (int64_t i = 0; i < 80; ++i) EXPECT_NEAR(retrieval::Norm(stored.view().row(i), kDimension), 1, 1e-5);
  EXPECT_EQ(result->generation->recipe.compression->centres, 80);
  EXPECT_EQ(result->generation->recipe.expansion->neighbors, 4);
  Close();
  Open();
  EXPECT_EQ((*Find("anna"))->index->CopyFrames().values, stored.values);
  EXPECT_EQ(Nearest("anna", stored.view().Slice(79, 1)).first, 79);
}

TEST_F(TrainerTest, RetrainingByTheirOwnRecipePreparesTheStoredFramesNoSecondTime) {
  const auto first = Train("anna", FramesOf(400), Preparing());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = Train("anna", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->generation->index->CopyFrames().values, first->generation->index->CopyFrames().values);
  EXPECT_EQ(again->generation->recipe.factory, "Flat");
  EXPECT_FALSE(again->generation->recipe.compression.has_value());
  EXPECT_FALSE(again->generation->recipe.expansion.has_value());
  retrieval::Recipe smaller;
  smaller.compression = retrieval::Compression{30, std::nullopt, std::nullopt};
  const auto asked = Train("anna", {}, smaller);
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(asked->generation->index->rows(), 30);
  const auto too_many = Train("anna", {}, Preparing());
  EXPECT_EQ(ReasonOf(too_many.status()), "BAD_PARAMETER");
  EXPECT_EQ((*Find("anna"))->index->rows(), 30);
}

TEST_F(TrainerTest, AutoCompressesAboveTheConfiguredRowsAndNothingElseDoes) {
  TrainerOptions options;
  options.compress_above_rows = 200;
  options.compress_centres = 50;
  trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), options);
  const auto rows_left = [&](int64_t rows, const retrieval::Recipe& recipe) {
    const auto result = Train("anna", FramesOf(rows), recipe);
    EXPECT_TRUE(result.ok()) << result.status();
    const auto& compression = result->generation->recipe.compression;
    EXPECT_EQ(result->generation->index->rows(), compression ? compression->centres : rows);
    return result->generation->index->rows();
  };
  retrieval::Recipe named;
  named.name = "auto";
  EXPECT_EQ(rows_left(201, {}), 50);
  EXPECT_EQ(rows_left(201, named), 50);
  EXPECT_EQ(rows_left(200, {}), 200);
  named.name = "rvc";
  EXPECT_EQ(rows_left(201, named), 201);
  retrieval::Recipe own;
  own.factory = "Flat";
  EXPECT_EQ(rows_left(201, own), 201);
  retrieval::Recipe explicit_compression;
  explicit_compression.compression = retrieval::Compression{120, std::nullopt, std::nullopt};
  EXPECT_EQ(rows_left(201, explicit_compression), 120);

  options.compress_centres = 300;
  trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), options);
  EXPECT_EQ(rows_left(250, {}), 250);  // there are not even so many
  options.compress_above_rows = 0;
  options.compress_centres = 50;
  trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), options);
  EXPECT_EQ(rows_left(300, {}), 300);
}

TEST_F(TrainerTest, HasAsManyThreadsAsItIsToldBeforeEachStepAndMakesTheSame) {
  TrainerOptions options;
  options.threads = 3;
  trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), options);
  ASSERT_TRUE(Train("alone", FramesOf(2000), Preparing()).ok());

  std::vector<int> before;  // the threads that each step has had
  options.threads_now = [&before] {
    before.push_back(retrieval::ThreadsOfThisThread());
    return before.size() % 2 == 1 ? 1 : 2;
  };
  trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), options);
  for (const char* const again : {"beside", "and another"}) {
    before.clear();
    ASSERT_TRUE(Train(again, FramesOf(2000), Preparing()).ok());
    ASSERT_GT(before.size(), 3U);
    EXPECT_EQ(std::vector<int>(before.begin(), before.begin() + 4), (std::vector<int>{3, 1, 2, 1})) << again;
    // The rows of a compression's step go by the threads there are when nobody searches.
    EXPECT_EQ((*Find(again))->index->CopyFrames().values, (*Find("alone"))->index->CopyFrames().values) << again;
  }
}

TEST_F(TrainerTest, CancelEndsACompression) {
  const auto running = std::make_shared<Recorder>();
  running->HoldAt(Phase::kCompressing);
  ASSERT_TRUE(Start("anna", FramesOf(400), running, Preparing()).ok());
  running->WaitUntilHeld();
  trainer_->Cancel();
  running->LetGo();
  EXPECT_EQ(ReasonOf(running->Result().status()), "SHUTTING_DOWN");
  EXPECT_TRUE(trainer_->WaitUntilIdle(Clock::now() + std::chrono::minutes(2), Clock::now()));
  EXPECT_EQ(ReasonOf(Find("anna").status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(TrainerTest, WithoutFramesAndWithoutStoredOnesNothingIsMade) {
  EXPECT_EQ(ReasonOf(Train("anna", {}).status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_TRUE(registry_->List("", 10).empty());
}

TEST_F(TrainerTest, AFailedTrainingLeavesTheOldGenerationAndLetsTheNextOneIn) {
  ASSERT_TRUE(Train("anna", FramesOf(100, 1)).ok());
  retrieval::Recipe recipe;
  recipe.factory = "IVF1000,Flat";
  const auto failed = Train("anna", FramesOf(50, 2), recipe);
  EXPECT_EQ(ReasonOf(failed.status()), "BAD_PARAMETER");
  EXPECT_EQ((*Find("anna"))->index->rows(), 100);
  EXPECT_TRUE(Add("anna", FramesOf(1).view(), std::nullopt).ok());
  EXPECT_TRUE(Train("anna", FramesOf(50, 2)).ok());
}

TEST_F(TrainerTest, TheOldGenerationServesWhileTheNewOneIsTrained) {
  ASSERT_TRUE(Train("anna", FramesOf(100, 1)).ok());
  const auto recorder = std::make_shared<Recorder>();
  recorder->HoldAt(Phase::kAdding);
  ASSERT_TRUE(Start("anna", FramesOf(200, 2), recorder).ok());
  recorder->WaitUntilHeld();
  EXPECT_EQ((*Find("anna"))->number, 1);
  EXPECT_TRUE(registry_->Describe("anna")->training);
  recorder->LetGo();
  ASSERT_TRUE(recorder->Result().ok());
  EXPECT_EQ((*Find("anna"))->number, 2);
  EXPECT_FALSE(registry_->Describe("anna")->training);
}

TEST_F(TrainerTest, AnIndexThatHasTheFramesItselfNeedsLessRoom) {
  constexpr int64_t kRows = 1000;
  constexpr int kWide = 256;
  const auto fits = [](const char* factory, retrieval::Metric metric, bool expanded) {
    retrieval::Recipe recipe;
    recipe.factory = factory;
    recipe.metric = metric;
    if (expanded) recipe.expansion = retrieval::Expansion{8};
    MemoryBudget budget(kRows * kWide * int64_t{sizeof(float)} * 5 / 2);
    const absl::Status status = Trainer(nullptr, &budget, {}).Check(recipe, kRows, kWide);
    EXPECT_TRUE(status.ok() || ReasonOf(status) == "MEMORY_BUDGET") << status;
    return status.ok();
  };
  EXPECT_TRUE(fits("IVF8,Flat", retrieval::Metric::kL2, false));
  EXPECT_TRUE(fits("", retrieval::Metric::kInnerProduct, false)) << "as the recipe auto makes it";
  EXPECT_FALSE(fits("IVF8,Flat", retrieval::Metric::kCosine, false)) << "the index has them at norm 1";
  EXPECT_FALSE(fits("IVF8,Flat", retrieval::Metric::kL2, true)) << "the frames that were sent are there too";
  EXPECT_FALSE(fits("IVF500,Flat", retrieval::Metric::kL2, false)) << "there is a centroid for every other frame";
  EXPECT_FALSE(fits("IVF8,PQ4,RFlat", retrieval::Metric::kL2, false));
}

TEST_F(TrainerTest, MoreTrainingsThanMayWaitAreRefusedAndLeaveNothing) {
  const auto first = std::make_shared<Recorder>();
  first->HoldAt(Phase::kTraining);
  ASSERT_TRUE(Start("anna", FramesOf(400), first).ok());
  first->WaitUntilHeld();
  const auto waiting = std::make_shared<Recorder>();
  const auto waiting_too = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("berta", FramesOf(50), waiting).ok());
  ASSERT_TRUE(Start("clara", FramesOf(50), waiting_too).ok());
  const absl::Status refused = Start("dora", FramesOf(50), std::make_shared<Recorder>());
  EXPECT_EQ(ReasonOf(refused), "OVERLOADED");
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_EQ(ReasonOf(Find("dora").status()), "EXPERIMENT_NOT_FOUND");
  first->LetGo();
  EXPECT_TRUE(waiting->Result().ok());
  EXPECT_TRUE(waiting_too->Result().ok());
}

TEST_F(TrainerTest, WhoeverIsToldThatItIsQueuedHasItsPlace) {
  const auto running = std::make_shared<Recorder>();
  running->HoldAt(Phase::kTraining);
  ASSERT_TRUE(Start("anna", FramesOf(400), running).ok());
  running->WaitUntilHeld();
  const auto waiting = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("berta", FramesOf(50), waiting).ok());
  const auto being_told = std::make_shared<Recorder>();
  being_told->HoldAt(Phase::kQueued);
  std::thread last([&] { EXPECT_TRUE(Start("clara", FramesOf(50), being_told).ok()); });
  being_told->WaitUntilHeld();
  EXPECT_EQ(ReasonOf(Start("dora", FramesOf(50), std::make_shared<Recorder>())), "OVERLOADED");
  being_told->LetGo();
  last.join();
  running->LetGo();
  EXPECT_TRUE(waiting->Result().ok());
  EXPECT_TRUE(being_told->Result().ok());
}

TEST_F(TrainerTest, CancelEndsWhatRunsAndWhatWaitsAndKeepsNothingOfIt) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  const auto running = std::make_shared<Recorder>();
  running->HoldAt(Phase::kTraining);
  ASSERT_TRUE(Start("anna", FramesOf(400), running).ok());
  running->WaitUntilHeld();
  const auto waiting = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("berta", FramesOf(50), waiting).ok());
  trainer_->Cancel();
  running->LetGo();
  EXPECT_EQ(ReasonOf(running->Result().status()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(waiting->Result().status()), "SHUTTING_DOWN");
  Close();
  Open();
  EXPECT_EQ((*Find("anna"))->index->rows(), 100);
  EXPECT_EQ(ReasonOf(Find("berta").status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(TrainerTest, CancelTellsAtOnceWhateverTheTrainingIsAt) {
  const auto running = std::make_shared<Recorder>();
  running->HoldAt(Phase::kTraining);
  ASSERT_TRUE(Start("anna", FramesOf(400), running).ok());
  running->WaitUntilHeld();
  const auto waiting = std::make_shared<Recorder>();
  ASSERT_TRUE(Start("berta", FramesOf(50), waiting).ok());
  trainer_->Cancel();
  EXPECT_EQ(ReasonOf(running->Result().status()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(waiting->Result().status()), "SHUTTING_DOWN");
  EXPECT_EQ(ReasonOf(Start("clara", FramesOf(50), std::make_shared<Recorder>())), "SHUTTING_DOWN");
  EXPECT_FALSE(trainer_->WaitUntilIdle(Clock::now(), kNoDeadline)) << "neither of them saves";
  running->LetGo();
  EXPECT_TRUE(trainer_->WaitUntilIdle(Clock::now() + std::chrono::minutes(2), Clock::now()));
}

TEST_F(TrainerTest, ATrainingThatIsBeingSavedIsWaitedFor) {
  const auto saving = std::make_shared<Recorder>();
  saving->HoldAt(Phase::kSaving);
  ASSERT_TRUE(Start("anna", FramesOf(400), saving).ok());
  saving->WaitUntilHeld();
  trainer_->Cancel();
  EXPECT_FALSE(trainer_->WaitUntilIdle(Clock::now(), Clock::now()));
  saving->LetGo();
  EXPECT_TRUE(trainer_->WaitUntilIdle(Clock::now(), Clock::now() + std::chrono::minutes(2)));
  EXPECT_TRUE(saving->Result().ok());
  Close();
  Open();
  EXPECT_EQ((*Find("anna"))->index->rows(), 400);
}

TEST_F(TrainerTest, ATrainingThatCannotBeSavedSaysSoAlsoWhereTheTrainerIsCancelled) {
  const auto saving = std::make_shared<Recorder>();
  saving->HoldAt(Phase::kSaving);
  ASSERT_TRUE(Start("anna", FramesOf(400), saving).ok());
  saving->WaitUntilHeld();
  trainer_->Cancel();
  std::filesystem::remove_all(std::filesystem::path(folder_) / "snapshots");
  saving->LetGo();
  EXPECT_EQ(ReasonOf(saving->Result().status()), "STORAGE") << saving->Result().status();
}

TEST_F(TrainerTest, AFailedSaveLeavesEverythingAsItWas) {
  ASSERT_TRUE(Train("anna", FramesOf(100, 1)).ok());
  std::filesystem::remove_all(std::filesystem::path(folder_) / "snapshots");  // nowhere to write to
  const auto failed = Train("anna", FramesOf(200, 2));
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kUnavailable) << failed.status();
  EXPECT_EQ(ReasonOf(failed.status()), "STORAGE");
  EXPECT_EQ((*Find("anna"))->index->rows(), 100);
}

}  // namespace
}  // namespace kith::experiments
