#include "server/experiments/registry.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "server/base/status.h"
#include "tests/experiments/fixture.h"

namespace kith::experiments {
namespace {

using RegistryTest = ExperimentsTest;

TEST_F(RegistryTest, AnUnknownExperimentIsNotFoundEverywhere) {
  EXPECT_EQ(ReasonOf(Find("nobody").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(registry_->Describe("nobody").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Delete("nobody")), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Add("nobody", FramesOf(1).view(), std::nullopt).status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(RegistryTest, AllExperimentsAreCountedHoweverManyThereAre) {
  EXPECT_EQ(registry_->Count().all(), 0);
  ASSERT_TRUE(Train("anna", FramesOf(50)).ok());
  ASSERT_TRUE(Train("berta", FramesOf(50)).ok());
  ASSERT_TRUE(registry_->Unload("berta").ok());
  EXPECT_EQ(registry_->Count().ready, 2);
  EXPECT_EQ(registry_->Count().resident, 1);
  std::vector<std::unique_ptr<TrainingLease>> leases;
  for (int i = 0; i < 766; ++i) {
    auto lease = registry_->Reserve("new " + std::to_string(i));
    ASSERT_TRUE(lease.ok());
    leases.push_back(*std::move(lease));
    if ((i + 4) % 256 > 2) continue;  // around the ends of what is counted at a time
    EXPECT_EQ(registry_->Count().training, i + 1);
    EXPECT_EQ(registry_->Count().all(), i + 3);
  }
}

TEST_F(RegistryTest, WhatWasAddedIsFoundAtOnceAndAfterReopening) {
  ASSERT_TRUE(Train("anna", FramesOf(300)).ok());
  const retrieval::Frames added = FramesOf(70, 9);
  const auto record = Add("anna", added.view(), std::nullopt);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->first_id, 300);
  EXPECT_EQ(record->rows, 70);
  EXPECT_EQ(record->total_rows, 370);
  EXPECT_EQ(record->generation, 1);
  for (int round = 0; round < 2; ++round) {
    for (int64_t i = 0; i < added.rows(); ++i) {
      const auto [id, distance] = Nearest("anna", added.view().Slice(i, 1));
      EXPECT_EQ(id, 300 + i);
      EXPECT_NEAR(distance, 0, 1e-4);
    }
    Close();
    Open();
  }
  EXPECT_EQ((*Find("anna"))->index->CopyFrames().values.size(), 370u * kDimension);
}

TEST_F(RegistryTest, ARepeatedRequestAddsOnce) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  const retrieval::Frames added = FramesOf(10, 9);
  const storage::Request request{"one", "digest"};
  const auto first = Add("anna", added.view(), request);
  const auto second = Add("anna", added.view(), request);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->first_id, first->first_id);
  EXPECT_EQ((*Find("anna"))->index->rows(), 110);
  EXPECT_EQ(ReasonOf(Add("anna", added.view(), storage::Request{"one", "other"}).status()), "REQUEST_ID_REUSED");
}

TEST_F(RegistryTest, AdditionsFromManyThreadsAllGetTheirOwnIds) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::vector<std::pair<int64_t, uint64_t>> firsts;  // first id, seed
  for (uint64_t seed = 10; seed < 18; ++seed) {
    threads.emplace_back([&, seed] {
      const auto record = Add("anna", FramesOf(5, seed).view(), std::nullopt);
      const std::lock_guard<std::mutex> lock(mutex);
      firsts.emplace_back(record.ok() ? record->first_id : -1, seed);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(firsts.begin(), firsts.end());
  for (size_t i = 0; i < firsts.size(); ++i) {
    EXPECT_EQ(firsts[i].first, 100 + 5 * static_cast<int64_t>(i));
    EXPECT_EQ(Nearest("anna", FramesOf(5, firsts[i].second).view().Slice(2, 1)).first, firsts[i].first + 2);
  }
}

TEST_F(RegistryTest, OneTrainingAtATimeAndNoAdditionOrDeletionMeanwhile) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  const auto lease = registry_->Reserve("anna");
  ASSERT_TRUE(lease.ok());
  const absl::Status second = registry_->Reserve("anna").status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(second), "TRAINING_IN_PROGRESS");
  const absl::Status add = Add("anna", FramesOf(1).view(), std::nullopt).status();
  EXPECT_EQ(add.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(add), "TRAINING_IN_PROGRESS");
  EXPECT_EQ(ReasonOf(Delete("anna")), "TRAINING_IN_PROGRESS");
  EXPECT_TRUE(Find("anna").ok()) << "the old generation serves";
  EXPECT_TRUE(registry_->Reserve("berta").ok()) << "another experiment is not concerned";
}

TEST_F(RegistryTest, ALeaseThatTrainedNothingLeavesNothing) {
  {
    const auto lease = registry_->Reserve("anna");
    ASSERT_TRUE(lease.ok());
    EXPECT_EQ(ReasonOf(Find("anna").status()), "NOT_TRAINED");
    EXPECT_EQ(registry_->Describe("anna")->state, State::kTraining);
  }
  EXPECT_EQ(ReasonOf(Find("anna").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_TRUE(registry_->List("", 10).empty());
}

TEST_F(RegistryTest, BadNamesAreRefused) {
  for (const std::string& name : {std::string(), std::string("a/b"), std::string("a\nb"), std::string(129, 'x'),
                                  std::string("\xC3"), std::string("a\0b", 3)}) {
    EXPECT_EQ(ReasonOf(registry_->Reserve(name).status()), "BAD_PARAMETER") << name;
  }
}

TEST_F(RegistryTest, ThereIsALimitToExperiments) {
  Close();
  RegistryOptions options;
  options.max_experiments = 2;
  Open(options);
  ASSERT_TRUE(Train("anna", FramesOf(50)).ok());
  ASSERT_TRUE(Train("berta", FramesOf(50)).ok());
  EXPECT_EQ(registry_->Reserve("clara").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(registry_->Reserve("anna").ok()) << "those that are there may be trained";
  ASSERT_TRUE(Delete("berta").ok());
  EXPECT_TRUE(registry_->Reserve("clara").ok());
}

TEST_F(RegistryTest, DeletedIsGoneButWhoHasTheGenerationKeepsIt) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  const auto held = *Find("anna");
  ASSERT_TRUE(Delete("anna").ok());
  EXPECT_EQ(ReasonOf(Find("anna").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(held->index->rows(), 100);
  Close();
  Open();
  EXPECT_EQ(ReasonOf(Find("anna").status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(RegistryTest, ListsInTheOrderOfNamesAPageAtATime) {
  for (const char* name : {"clara", "anna", "berta"}) ASSERT_TRUE(Train(name, FramesOf(40)).ok());
  const auto first = registry_->List("", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].record.name, "anna");
  EXPECT_EQ(first[1].record.name, "berta");
  const auto second = registry_->List("berta", 2);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].record.name, "clara");
}

TEST_F(RegistryTest, ADamagedExperimentFailsAloneAndMayBeTrainedAgain) {
  ASSERT_TRUE(Train("anna", FramesOf(100)).ok());
  Close();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (entry.path().filename() == "index.faiss") std::filesystem::resize_file(entry.path(), entry.file_size() / 2);
  }
  Open();
  ASSERT_TRUE(Train("berta", FramesOf(100)).ok());
  const absl::Status status = Find("anna").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(status), "STORAGE");
  EXPECT_EQ(registry_->Describe("anna")->state, State::kFailed);
  EXPECT_EQ(registry_->FindResident("anna").status(), status) << "it is not read again for every search";
  EXPECT_TRUE(Find("berta").ok());
  EXPECT_TRUE(Train("anna", FramesOf(100)).ok());
  EXPECT_TRUE(Find("anna").ok());
}

}  // namespace
}  // namespace kith::experiments
