// Which experiments are in memory.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "server/base/status.h"
#include "server/storage/sqlite.h"
#include "tests/experiments/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::experiments {
namespace {

class ResidencyTest : public ExperimentsTest {
 protected:
  // Opens the folder again with room for so many of the experiments, which are of one size.
  void ReopenWithRoomFor(double experiments, RegistryOptions options = {}) {
    const int64_t one = BytesToLoad(registry_->Describe("anna")->record);
    Close();
    Open(std::move(options), static_cast<int64_t>(experiments * static_cast<double>(one)));
  }

  void TrainAll() {
    for (const char* name : {"anna", "berta", "clara"}) ASSERT_TRUE(Train(name, FramesOf(400)).ok());
  }

  // Cuts a file of the current generation's snapshot short.
  void Damage(const std::string& name, const char* file) {
    const auto before = *store_->Generations(name);
    ASSERT_TRUE(before.front().current);
    std::filesystem::path newest;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (entry.path().filename() != file) continue;
      if (newest.empty() || std::filesystem::last_write_time(newest) < entry.last_write_time()) newest = entry.path();
    }
    std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1);
  }
};

TEST_F(ResidencyTest, NothingIsLoadedBeforeItIsUsed) {
  TrainAll();
  ReopenWithRoomFor(10);
  EXPECT_FALSE(IsResident("anna"));
  EXPECT_EQ(registry_->Describe("anna")->state, State::kReady);
  EXPECT_EQ(*registry_->FindResident("anna"), nullptr);
  ASSERT_TRUE(Find("anna").ok());
  EXPECT_TRUE(IsResident("anna"));
  EXPECT_FALSE(IsResident("berta"));
}

// As a restore does, which may give back a number that there was.
TEST_F(ResidencyTest, WhatWasReplacedWhileItWasReadIsReadAgain) {
  TrainAll();
  std::atomic<int> loads{0};
  std::promise<void> replaced;
  RegistryOptions options;
  options.on_loaded = [&](const std::string&, const absl::Status&, double) {
    if (++loads == 1) replaced.get_future().wait();
  };
  ReopenWithRoomFor(10, options);
  auto waiting = std::async(std::launch::async, [this] { return Find("anna").ok(); });
  kith::testing::WaitUntil([&] { return loads == 1; });
  (*registry_->Reserve("anna"))->Replace(registry_->Describe("anna")->record);
  replaced.set_value();
  EXPECT_TRUE(waiting.get());
  EXPECT_EQ(loads, 2);
}

TEST_F(ResidencyTest, WhatWaitsAtTheEndIsNotLoaded) {
  TrainAll();
  std::atomic<int> loads{0};
  std::promise<void> closing;
  RegistryOptions options;
  options.load_threads = 1;
  options.on_loaded = [&](const std::string&, const absl::Status&, double) {
    ++loads;
    closing.get_future().wait();
  };
  options.preload = {"anna", "berta", "clara"};
  ReopenWithRoomFor(10, options);
  kith::testing::WaitUntil([&] { return loads == 1; });
  registry_->StopLoading();
  closing.set_value();
  EXPECT_EQ(ReasonOf(Find("clara").status()), "SHUTTING_DOWN");
  EXPECT_EQ(loads, 1);
}

TEST_F(ResidencyTest, AHundredWhoAskAtOnceLoadItOnce) {
  TrainAll();
  std::atomic<int> loads{0};
  RegistryOptions options;
  options.on_loaded = [&](const std::string&, const absl::Status&, double) { ++loads; };
  ReopenWithRoomFor(10, options);
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int i = 0; i < 100; ++i) {
    threads.emplace_back([&] { served += Find("anna").ok() ? 1 : 0; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 100);
  EXPECT_EQ(loads, 1);
}

TEST_F(ResidencyTest, TheLeastRecentlyUsedIsLetGoOf) {
  TrainAll();
  ReopenWithRoomFor(2.1);
  ASSERT_TRUE(Find("anna").ok());
  ASSERT_TRUE(Find("berta").ok());
  ASSERT_TRUE(Find("anna").ok());
  ASSERT_TRUE(Find("clara").ok());
  EXPECT_TRUE(IsResident("anna"));
  EXPECT_FALSE(IsResident("berta"));
  EXPECT_TRUE(IsResident("clara"));
  EXPECT_LE(budget_->used(), budget_->limit());
  EXPECT_TRUE(Find("berta").ok()) << "it comes back when it is used";
}

TEST_F(ResidencyTest, WhatIsInUseStays) {
  TrainAll();
  ReopenWithRoomFor(1.5);
  auto held = *Find("anna");
  const absl::Status full = Find("berta").status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), "MEMORY_BUDGET");
  EXPECT_TRUE(IsResident("anna")) << "letting go of it would free nothing, and load it twice";
  held.reset();
  EXPECT_TRUE(Find("berta").ok());
  EXPECT_FALSE(IsResident("anna"));
}

TEST_F(ResidencyTest, WhatIsPinnedStaysAndIsLoadedAtTheStart) {
  TrainAll();
  ReopenWithRoomFor(1.5);
  {
    const auto pinned = SetPinned("anna", true);
    ASSERT_TRUE(pinned.ok()) << pinned.status();
    EXPECT_TRUE(pinned->pinned);
    EXPECT_NE(pinned->generation, nullptr);
  }  // what holds a generation keeps it in memory as well as a pin does
  EXPECT_EQ(ReasonOf(Find("berta").status()), "MEMORY_BUDGET");
  EXPECT_EQ(registry_->Unload("anna").status().code(), absl::StatusCode::kFailedPrecondition);
  Close();
  Open();
  testing::WaitUntil([&] { return IsResident("anna"); });
  ASSERT_TRUE(SetPinned("anna", false).ok());
  EXPECT_TRUE(registry_->Unload("anna").ok());
  EXPECT_FALSE(IsResident("anna"));
}

TEST_F(ResidencyTest, WhatTheConfigurationPreloadsIsPinned) {
  TrainAll();
  RegistryOptions options;
  options.preload = {"berta", "nobody"};
  ReopenWithRoomFor(10, options);
  testing::WaitUntil([&] { return IsResident("berta"); });
  EXPECT_TRUE(registry_->Describe("berta")->pinned);
  EXPECT_EQ(SetPinned("berta", false).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ResidencyTest, UnloadedMemoryComesBackOnceTheLastSearchHasEnded) {
  TrainAll();
  auto held = *Find("anna");
  const int64_t before = budget_->used();
  ASSERT_TRUE(registry_->Unload("anna").ok());
  EXPECT_EQ(held->index->rows(), 400);
  EXPECT_EQ(budget_->used(), before);
  held.reset();
  testing::WaitUntil([&] { return budget_->used() < before; });
}

TEST_F(ResidencyTest, AnAdditionNeedsNoLoading) {
  TrainAll();
  ReopenWithRoomFor(10);
  const retrieval::Frames added = FramesOf(5, 77);
  const auto record = Add("anna", added.view());
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->total_rows, 405);
  EXPECT_FALSE(IsResident("anna"));
  EXPECT_EQ(registry_->Describe("anna")->record.total_rows, 405);
  EXPECT_EQ(Nearest("anna", added.view().Slice(3, 1)).first, 403);
}

TEST_F(ResidencyTest, SlowLoadsHoldUpNoAdditionToAnother) {
  TrainAll();
  ASSERT_TRUE(Train("dora", FramesOf(50)).ok());
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> loads{0};
  RegistryOptions options;
  options.threads = 1;
  options.load_threads = 2;
  options.on_loaded = [&](const std::string& name, const absl::Status&, double) {
    if (name == "dora") return;
    ++loads;
    released.wait();
  };
  ReopenWithRoomFor(10, options);
  ASSERT_TRUE(Find("dora").ok());
  std::vector<std::future<bool>> waiting;
  for (const char* name : {"anna", "berta", "clara"}) {
    waiting.push_back(std::async(std::launch::async, [this, name] { return Find(name).ok(); }));
  }
  kith::testing::WaitUntil([&] { return loads == 2; });
  EXPECT_TRUE(Add("dora", FramesOf(5, 77).view()).ok()) << "while more is to be loaded than may be at once";
  release.set_value();
  for (auto& found : waiting) EXPECT_TRUE(found.get());
}

// What was acknowledged would serve nobody: the generation that it is in cannot be loaded.
TEST_F(ResidencyTest, NothingIsAddedToADamagedGenerationThatNobodyHasLoaded) {
  for (const char* file : {"total_fea.npy", "index.faiss", "manifest.json"}) {
    SCOPED_TRACE(file);
    const std::string name = file;
    ASSERT_TRUE(Train(name, FramesOf(400)).ok());
    ASSERT_TRUE(Train(name, FramesOf(300, 2)).ok());
    Damage(name, file);
    Close();
    std::promise<void> told;
    RegistryOptions options;
    options.on_degraded = [&](const std::string&, int64_t, const absl::Status&) { told.set_value(); };
    Open(options);
    const absl::Status refused = Add(name, FramesOf(5, 77).view()).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    EXPECT_NE(std::string(refused.message()).find("kith rollback"), std::string::npos) << refused;
    told.get_future().wait();
    EXPECT_EQ(registry_->Describe(name)->state, State::kDegraded);
    EXPECT_EQ(store_->Generations(name)->front().total_rows, 300) << "nothing of it is stored";
    ASSERT_TRUE(Rollback(name).ok());
    EXPECT_EQ(Add(name, FramesOf(5, 77).view())->first_id, 400);
  }
}

TEST_F(ResidencyTest, NothingIsAddedBehindADamagedAddition) {
  ASSERT_TRUE(Train("anna", FramesOf(400)).ok());
  ASSERT_TRUE(Add("anna", FramesOf(5, 77).view()).ok());
  Close();
  auto catalogue = storage::Database::Open(folder_ + "/catalogue.sqlite", storage::Database::Mode::kReadWriteCreate);
  ASSERT_TRUE(catalogue.ok()) << catalogue.status();
  ASSERT_TRUE(catalogue->Execute("UPDATE addition_chunks SET data = zeroblob(length(data))").ok());
  Open();
  EXPECT_EQ(Add("anna", FramesOf(5, 78).view()).status().code(), absl::StatusCode::kDataLoss);
  testing::WaitUntil([&] { return registry_->Describe("anna")->state == State::kFailed; });
}

TEST_F(ResidencyTest, AGenerationIsLookedAtOnceBeforeTheFirstAddition) {
  TrainAll();
  ReopenWithRoomFor(10);
  ASSERT_TRUE(Add("anna", FramesOf(5, 77).view()).ok());
  Damage("anna", "index.faiss");  // what would be noticed by another look
  EXPECT_TRUE(Add("anna", FramesOf(5, 78).view()).ok());
}

TEST_F(ResidencyTest, AnAdditionThatWouldMakeItTooLargeIsRefused) {
  TrainAll();
  ReopenWithRoomFor(1.2);
  EXPECT_EQ(ReasonOf(Add("anna", FramesOf(400, 5).view()).status()), "MEMORY_BUDGET");
  ASSERT_TRUE(Find("anna").ok());
  EXPECT_EQ(ReasonOf(Add("anna", FramesOf(400, 5).view()).status()), "MEMORY_BUDGET");
  EXPECT_EQ(registry_->Describe("anna")->record.total_rows, 400);
  EXPECT_EQ((*Find("anna"))->index->rows(), 400);
}

TEST_F(ResidencyTest, ADamagedGenerationFallsBackToTheOneBefore) {
  TrainAll();
  ASSERT_TRUE(Train("anna", FramesOf(300, 2)).ok());
  Damage("anna", "total_fea.npy");
  Close();
  absl::Status told;
  RegistryOptions options;
  options.on_degraded = [&](const std::string& name, int64_t serving, const absl::Status& failure) {
    EXPECT_EQ(name, "anna");
    EXPECT_EQ(serving, 1);
    told = failure;
  };
  int degraded_loads = 0;
  options.on_load = [&](const absl::Status& status, bool degraded) { degraded_loads += status.ok() && degraded; };
  Open(options);
  const auto generation = Find("anna");
  ASSERT_TRUE(generation.ok()) << generation.status();
  EXPECT_EQ((*generation)->number, 1);
  EXPECT_EQ((*generation)->index->rows(), 400);
  EXPECT_EQ(told.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(degraded_loads, 1);
  EXPECT_EQ(registry_->Count().degraded, 1);
  EXPECT_EQ(registry_->Count().ready, 2);
  const auto description = registry_->Describe("anna");
  EXPECT_EQ(description->state, State::kDegraded);
  EXPECT_EQ(description->failure, told);
  EXPECT_EQ(registry_->Describe("berta")->state, State::kReady);

  const absl::Status addition = Add("anna", FramesOf(1).view()).status();
  EXPECT_EQ(addition.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(std::string(addition.message()).find("kith rollback"), std::string::npos) << addition;
  ASSERT_TRUE(Rollback("anna").ok());
  EXPECT_EQ(registry_->Describe("anna")->state, State::kReady);
  EXPECT_TRUE(Add("anna", FramesOf(1).view()).ok());
}

TEST_F(ResidencyTest, ADegradedExperimentThatIsLetGoOfStaysDegraded) {
  TrainAll();
  ASSERT_TRUE(Train("anna", FramesOf(300, 2)).ok());
  Damage("anna", "total_fea.npy");
  Close();
  Open();
  ASSERT_TRUE(Find("anna").ok());
  ASSERT_TRUE(registry_->Unload("anna").ok());
  EXPECT_EQ(registry_->Describe("anna")->state, State::kDegraded) << "it serves as soon as it is used";
  EXPECT_EQ((*Find("anna"))->number, 1);
}

TEST_F(ResidencyTest, AFullBudgetIsToldOnceAndNotForEachBlock) {
  TrainAll();
  int told = 0;
  RegistryOptions options;
  options.on_loaded = [&](const std::string& name, const absl::Status&, double) { told += name == "berta" ? 1 : 0; };
  int loads = 0;
  options.on_load = [&](const absl::Status& status, bool) { loads += absl::IsResourceExhausted(status) ? 1 : 0; };
  ReopenWithRoomFor(1.5, options);
  const auto held = *Find("anna");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ReasonOf(Find("berta").status()), "MEMORY_BUDGET");
  EXPECT_EQ(told, 1);
  EXPECT_EQ(loads, 5);
}

TEST_F(ResidencyTest, ATrainingKeepsThePinThatWasSetMeanwhile) {
  TrainAll();
  const auto lease = registry_->Reserve("anna");
  ASSERT_TRUE(lease.ok());
  const storage::ExperimentRecord committed = *store_->Get("anna");  // as the commit gave it
  ASSERT_TRUE(SetPinned("anna", true).ok());
  auto loaded = LoadGeneration(store_.get(), budget_.get(), committed);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  (*lease)->Replace(committed, std::move(loaded->generation->index), std::move(loaded->generation->memory));
  EXPECT_TRUE(registry_->Describe("anna")->pinned);
}

TEST_F(ResidencyTest, ALoadTriesAgainWhatFailed) {
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  Close();
  std::filesystem::path moved;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (entry.path().filename() == "index.faiss") moved = entry.path();
  }
  std::filesystem::rename(moved, folder_ + "/away");
  Open();
  EXPECT_EQ(Find("anna").status().code(), absl::StatusCode::kDataLoss);
  std::filesystem::rename(folder_ + "/away", moved);
  EXPECT_EQ(Find("anna").status().code(), absl::StatusCode::kDataLoss) << "not read again for every search";
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state, State::kReady);
}

TEST_F(ResidencyTest, RolledBackItIsAsItLastWas) {
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  const retrieval::Frames first = FramesOf(5, 71);
  ASSERT_TRUE(Add("anna", first.view()).ok());
  ASSERT_TRUE(Train("anna", FramesOf(200, 2)).ok());
  const retrieval::Frames second = FramesOf(6, 72);
  ASSERT_TRUE(Add("anna", second.view()).ok());

  const auto back = Rollback("anna");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->record.generation.number, 1);
  EXPECT_NE(back->generation, nullptr) << "it serves at once";
  EXPECT_EQ((*Find("anna"))->index->rows(), 305);
  EXPECT_EQ(Nearest("anna", first.view().Slice(4, 1)).first, 304);

  ASSERT_TRUE(Rollback("anna", 2).ok());
  EXPECT_EQ((*Find("anna"))->index->rows(), 206);
  EXPECT_EQ(Nearest("anna", second.view().Slice(5, 1)).first, 205);
  const absl::Status none = Rollback("anna", 7).status();
  EXPECT_EQ(ReasonOf(none), "BAD_PARAMETER");
  EXPECT_EQ(ReasonOf(Rollback("nobody").status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(ResidencyTest, ATrainingThatDoesNotFitIsRefusedBeforeItStarts) {
  TrainAll();
  ReopenWithRoomFor(1.5);
  const absl::Status refused = Train("dora", FramesOf(4000)).status();
  EXPECT_EQ(ReasonOf(refused), "MEMORY_BUDGET") << refused;
  EXPECT_EQ(ReasonOf(registry_->Describe("dora").status()), "EXPERIMENT_NOT_FOUND");
}

}  // namespace
}  // namespace kith::experiments
