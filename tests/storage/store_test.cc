#include "server/storage/store.h"

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "common/npy/npy.h"
#include "server/base/checksum.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using StoreTest = StorageTest;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string DigestOf(const std::string& bytes) {
  Sha256 sha256;
  sha256.Update(bytes.data(), bytes.size());
  return sha256.Finish();
}

TEST_F(StoreTest, GivesBackAGenerationAndItsAdditionsAfterReopening) {
  const auto trained = MakeFrames(300, 16, 1);
  const auto first = MakeFrames(7, 16, 2);
  const auto second = MakeFrames(1, 16, 3);
  const std::string index(3'000'000, 'i');
  Open();
  const auto committed = Train("anna", trained.view(), index);
  ASSERT_TRUE(committed.ok()) << committed.status();
  now_ += absl::Seconds(5);
  const auto added_first = Append("anna", 1, first.view());
  ASSERT_TRUE(added_first.ok()) << added_first.status();
  EXPECT_EQ(added_first->first_id, 300);
  EXPECT_EQ(added_first->rows, 7);
  EXPECT_EQ(added_first->total_rows, 307);
  EXPECT_EQ(added_first->generation, 1);
  EXPECT_FALSE(added_first->repeated);
  const auto added_second = Append("anna", 1, second.view());
  ASSERT_TRUE(added_second.ok()) << added_second.status();
  EXPECT_EQ(added_second->first_id, 307);

  Open();
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->index, index);
  EXPECT_EQ(loaded->experiment.frames.dimension, 16);
  EXPECT_EQ(loaded->experiment.frames.values, Joined(Joined(trained.values, first.values), second.values));
  const ExperimentRecord& record = loaded->experiment.experiment;
  EXPECT_EQ(record.name, "anna");
  EXPECT_EQ(record.total_rows, 308);
  EXPECT_EQ(record.generation.number, 1);
  EXPECT_EQ(record.generation.rows, 300);
  EXPECT_EQ(record.generation.dimension, 16);
  EXPECT_EQ(record.generation.recipe.factory, "IVF2,Flat");
  EXPECT_EQ(record.generation.recipe.metric, retrieval::Metric::kCosine);
  EXPECT_EQ(record.generation.recipe.nprobe, 2);
  EXPECT_EQ(record.generation.recipe.k_factor, std::nullopt);
  EXPECT_EQ(record.generation.recipe.seed, 7);
  EXPECT_EQ(record.generation.report.nlist, 2);
  EXPECT_EQ(record.generation.report.recall_at_8, 0.987654321);
  EXPECT_EQ(record.created, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ(record.updated, absl::FromUnixSeconds(1'700'000'005));
}

TEST_F(StoreTest, ASnapshotIsPlainFilesThatOthersRead) {
  const auto frames = MakeFrames(50, 4, 1);
  Open();
  const auto committed = Train("anna", frames.view(), "the index");
  ASSERT_TRUE(committed.ok()) << committed.status();

  const auto matrix = npy::ReadMatrix(Snapshot() + "/total_fea.npy");
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, 50);
  EXPECT_EQ(matrix->columns, 4);
  EXPECT_EQ(matrix->values, frames.values);
  EXPECT_EQ(ReadFile(Snapshot() + "/index.faiss"), "the index");
  const auto manifest = nlohmann::json::parse(ReadFile(Snapshot() + "/manifest.json"));
  EXPECT_EQ(manifest["experiment"], "anna");
  EXPECT_EQ(manifest["generation"], 1);
  EXPECT_EQ(manifest["rows"], 50);
  EXPECT_EQ(manifest["dimension"], 4);
  EXPECT_EQ(manifest["recipe"]["metric"], "cosine");
  EXPECT_EQ(manifest["files"]["index.faiss"]["sha256"], DigestOf("the index"));
  EXPECT_EQ(manifest["files"]["total_fea.npy"]["sha256"], DigestOf(ReadFile(Snapshot() + "/total_fea.npy")));
  int64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(Snapshot())) bytes += static_cast<int64_t>(entry.file_size());
  EXPECT_EQ(committed->experiment.generation.bytes, bytes);
}

TEST_F(StoreTest, WhereOneIsKeptANewGenerationReplacesTheOldOneWithItsAdditions) {
  keep_generations_ = 1;
  const auto old_frames = MakeFrames(50, 4, 1);
  const auto new_frames = MakeFrames(20, 8, 2);
  Open();
  ASSERT_TRUE(Train("anna", old_frames.view(), "old").ok());
  ASSERT_TRUE(Append("anna", 1, MakeFrames(5, 4, 3).view()).ok());
  const std::string old_snapshot = Snapshot();
  now_ += absl::Hours(1);
  const auto committed = Train("anna", new_frames.view(), "new");
  ASSERT_TRUE(committed.ok()) << committed.status();

  EXPECT_EQ(committed->experiment.generation.number, 2);
  EXPECT_EQ(committed->experiment.total_rows, 20);
  EXPECT_EQ(committed->experiment.created, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ(committed->experiment.updated, absl::FromUnixSeconds(1'700'003'600));
  EXPECT_FALSE(fs::exists(old_snapshot));
  EXPECT_THAT(Snapshots(), SizeIs(1));
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->index, "new");
  EXPECT_EQ(loaded->experiment.frames.values, new_frames.values);
}

TEST_F(StoreTest, AFailingIndexWriterLeavesEverythingAsItWas) {
  const auto frames = MakeFrames(50, 4, 1);
  Open();
  const auto fail = [](ByteSink sink) {
    const absl::Status written = sink("half an index");
    return written.ok() ? Error(Reason::kCancelled, "the training was cancelled") : written;
  };
  EXPECT_THAT(store_->CommitGeneration("anna", SomeRecipe(), SomeReport(), frames.view(), fail),
              FailsSaying(StatusCode::kCancelled, Reason::kCancelled, "the training was cancelled"));
  EXPECT_THAT(Snapshots(), IsEmpty());
  EXPECT_THAT(store_->Get("anna"), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));

  ASSERT_TRUE(Train("anna", frames.view(), "index").ok());
  EXPECT_THAT(store_->CommitGeneration("anna", SomeRecipe(), SomeReport(), frames.view(), fail),
              FailsWith(StatusCode::kCancelled, Reason::kCancelled));
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->experiment.experiment.generation.number, 1);
  EXPECT_THAT(Snapshots(), SizeIs(1));
}

TEST_F(StoreTest, AGenerationIsNotCommittedOverAnotherOneThatCameMeanwhile) {
  const auto frames = MakeFrames(50, 4, 1);
  Open();
  const auto overtaken =
      store_->CommitGeneration("anna", SomeRecipe(), SomeReport(), frames.view(), [&](ByteSink sink) {
        EXPECT_TRUE(Train("anna", frames.view(), "overtakes").ok());
        return sink("overtaken");
      });
  EXPECT_THAT(overtaken, FailsWith(StatusCode::kAborted, Reason::kInternal));
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->index, "overtakes");
  EXPECT_THAT(Snapshots(), SizeIs(1));
}

TEST_F(StoreTest, ReportsProgressInBytes) {
  Open();
  int64_t last = 0;
  const auto committed = store_->CommitGeneration(
      "anna", SomeRecipe(), SomeReport(), MakeFrames(50, 4, 1).view(), [](ByteSink sink) { return sink("index"); },
      [&](int64_t done, int64_t total) {
        EXPECT_GT(done, last);
        EXPECT_EQ(total, 0);
        last = done;
      });
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(last, committed->experiment.generation.bytes);
}

TEST_F(StoreTest, ListsByTheBytesOfTheNames) {
  const std::vector<std::string> names = {"b",   "A", "a'; DROP TABLE experiments; --", "\"quoted\"", "声の主",
                                          "a b", "é"};
  Open();
  for (const std::string& name : names) {
    const auto committed = Train(name, MakeFrames(3, 4, 1).view(), "index of " + name);
    ASSERT_TRUE(committed.ok()) << committed.status();
    ASSERT_TRUE(Append(name, 1, MakeFrames(2, 4, 2).view(), Request{"it's \"1\"", "d"}).ok());
  }
  Open();
  const auto list = store_->List();
  ASSERT_TRUE(list.ok()) << list.status();
  std::vector<std::string> listed;
  for (const ExperimentRecord& record : *list) {
    listed.push_back(record.name);
    EXPECT_TRUE(record.status.ok()) << record.status;
    EXPECT_EQ(record.total_rows, 5);
    EXPECT_EQ(record.generation.rows, 3);
    const auto loaded = Load(record.name);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->index, "index of " + record.name);
  }
  EXPECT_THAT(listed, ElementsAre("\"quoted\"", "A", "a b", "a'; DROP TABLE experiments; --", "b", "é", "声の主"));
}

TEST_F(StoreTest, RefusesNamesAndFramesThatNoExperimentMayHave) {
  Open();
  EXPECT_THAT(Train("a/b", MakeFrames(3, 4, 1).view(), "index"),
              FailsWith(StatusCode::kInvalidArgument, Reason::kBadParameter));
  EXPECT_THAT(Train("anna", {}, "index"), FailsWith(StatusCode::kInvalidArgument, Reason::kBadParameter));
  EXPECT_THAT(Snapshots(), IsEmpty());
}

TEST_F(StoreTest, AppendSaysWhatDoesNotFit) {
  Open();
  const auto frames = MakeFrames(3, 4, 1);
  EXPECT_THAT(Append("anna", 1, frames.view()),
              FailsSaying(StatusCode::kNotFound, Reason::kExperimentNotFound, "\"anna\""));
  ASSERT_TRUE(Train("anna", frames.view(), "index").ok());
  EXPECT_THAT(Append("anna", 2, frames.view()), FailsWith(StatusCode::kAborted, Reason::kInternal));
  EXPECT_THAT(Append("anna", 1, MakeFrames(3, 5, 1).view()),
              FailsWith(StatusCode::kInvalidArgument, Reason::kDimensionMismatch));
  EXPECT_THAT(Append("anna", 1, {}), FailsWith(StatusCode::kInvalidArgument, Reason::kEmptyBatch));
  EXPECT_EQ(store_->Get("anna")->total_rows, 3);
}

TEST_F(StoreTest, AnAdditionMayBeLargerThanOneChunk) {
  const auto trained = MakeFrames(10, 768, 1);
  const auto added = MakeFrames(6'001, 768, 2);  // 18.4 MB: three chunks of at most 8 MiB
  Open();
  ASSERT_TRUE(Train("anna", trained.view(), "index").ok());
  ASSERT_TRUE(Append("anna", 1, added.view()).ok());
  Open();
  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->experiment.frames.values == Joined(trained.values, added.values));
}

TEST_F(StoreTest, ConcurrentAppendsGetIdsWithoutGapsOrRepeats) {
  constexpr int kThreads = 8;
  constexpr int kAppends = 10;
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(3, 4, 1).view(), "index").ok());
  std::vector<std::vector<AddRecord>> added(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        const auto record = Append("anna", 1, MakeFrames(t + 1, 4, 100 * t + i).view());
        ASSERT_TRUE(record.ok()) << record.status();
        added[t].push_back(*record);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  const auto loaded = Load("anna");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::set<int64_t> ids;
  for (int t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kAppends; ++i) {
      const auto sent = MakeFrames(t + 1, 4, 100 * t + i);
      const int64_t first_id = added[t][i].first_id;
      for (int64_t row = 0; row < sent.rows(); ++row) ids.insert(first_id + row);
      const auto stored = loaded->experiment.frames.view().Slice(first_id, sent.rows()).values();
      EXPECT_TRUE(std::equal(stored.begin(), stored.end(), sent.values.begin(), sent.values.end()));
    }
  }
  EXPECT_EQ(loaded->experiment.frames.rows(), 3 + 10 * 36);
  EXPECT_THAT(ids, SizeIs(10 * 36));
  EXPECT_EQ(*ids.begin(), 3);
  EXPECT_EQ(*ids.rbegin(), 3 + 10 * 36 - 1);
}

TEST_F(StoreTest, WhatIsBeingLoadedStaysWhileItIsReplaced) {
  const auto frames = MakeFrames(50, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", frames.view(), "old").ok());
  ASSERT_TRUE(Append("anna", 1, frames.view()).ok());
  std::string index(3, '\0');
  const auto loaded = store_->Load(
      "anna", std::nullopt, [&](const GenerationInfo& generation, retrieval::FrameView view, ByteSource source) {
        EXPECT_EQ(generation.number, 1);
        EXPECT_THAT(view.values(), ElementsAreArray(frames.values));  // without the addition
        EXPECT_TRUE(Train("anna", MakeFrames(5, 8, 2).view(), "new").ok());
        return source(absl::MakeSpan(index)).status();
      });
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(index, "old");
  EXPECT_EQ(loaded->frames.values, Joined(frames.values, frames.values));
  EXPECT_EQ(Load("anna")->index, "new");
}

TEST_F(StoreTest, LoadsRunBesideTrainingsAppendsAndDeletes) {
  Open();
  const auto frames = MakeFrames(20, 4, 1);
  ASSERT_TRUE(Train("anna", frames.view(), "index").ok());
  std::thread changes([&] {
    for (int i = 0; i < 20; ++i) {
      const auto committed = Train("anna", frames.view(), "index");
      ASSERT_TRUE(committed.ok()) << committed.status();
      ASSERT_TRUE(Append("anna", committed->experiment.generation.number, frames.view()).ok());
      ASSERT_TRUE(Train("bob", frames.view(), "index").ok());
      ASSERT_TRUE(store_->Delete("bob").ok());
    }
  });
  for (int i = 0; i < 40; ++i) {
    const auto loaded = Load("anna");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->experiment.frames.rows(), loaded->experiment.experiment.total_rows);
    const auto bob = Load("bob");
    EXPECT_TRUE(bob.ok() || absl::IsNotFound(bob.status())) << bob.status();
  }
  changes.join();
}

TEST_F(StoreTest, TheErrorOfReadIndexIsTheLoads) {
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(50, 4, 1).view(), "index").ok());
  EXPECT_THAT(store_->Load("anna", std::nullopt,
                           [](const GenerationInfo&, retrieval::FrameView, ByteSource) {
                             return Error(Reason::kMemoryBudget, "no room");
                           }),
              FailsSaying(StatusCode::kResourceExhausted, Reason::kMemoryBudget, "no room"));
}

TEST_F(StoreTest, DeleteRemovesAllOfAnExperimentAndNothingOfOthers) {
  Open();
  const auto frames = MakeFrames(2'000, 256, 1);
  ASSERT_TRUE(Train("anna", MakeFrames(3, 256, 1).view(), "anna's").ok());
  ASSERT_TRUE(Train("bob", MakeFrames(3, 256, 2).view(), "bob's").ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"r", "d"}).ok());
  ASSERT_TRUE(store_->Delete("anna").ok());
  EXPECT_THAT(StatusOnly{store_->Delete("anna")}, FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  EXPECT_THAT(Load("anna"), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  EXPECT_THAT(Snapshots(), SizeIs(1));
  EXPECT_EQ(*store_->FindRequest("anna", "r"), std::nullopt);
  EXPECT_EQ(Load("bob")->index, "bob's");
  EXPECT_THAT(*store_->List(), SizeIs(1));

  // Closing moves the log into the catalogue's file: the 2 MB of the addition are not kept there.
  store_.reset();
  EXPECT_LT(fs::file_size(catalogue_path()), 500'000u);
}

TEST_F(StoreTest, ADeletedExperimentStartsAnewAtGenerationOne) {
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(3, 4, 1).view(), "old").ok());
  ASSERT_TRUE(Train("anna", MakeFrames(3, 4, 1).view(), "newer").ok());
  ASSERT_TRUE(store_->Delete("anna").ok());
  const auto committed = Train("anna", MakeFrames(3, 4, 1).view(), "new");
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->experiment.generation.number, 1);
}

}  // namespace
}  // namespace kith::storage
