#include "absl/strings/str_cat.h"
#include "tests/storage/storage_fixture.h"
#include "tests/storage/version_1.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GenerationTest : public StorageTest {
 protected:
  // Trains generations 1, 2 ... `count` of anna: generation g has 10 * g rows, index "index g" and g more rows added.
  void TrainAnna(int count) {
    for (int g = 1; g <= count; ++g) {
      now_ += absl::Minutes(1);
      ASSERT_TRUE(Train("anna", MakeFrames(10 * g, 4, g).view(), absl::StrCat("index ", g)).ok());
      now_ += absl::Seconds(1);
      ASSERT_TRUE(Append("anna", g, MakeFrames(g, 4, 100 + g).view()).ok());
    }
  }

  void ExpectLoads(std::optional<int64_t> generation, int g) {
    SCOPED_TRACE(g);
    const auto loaded = Load("anna", generation);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->index, absl::StrCat("index ", g));
    EXPECT_EQ(loaded->experiment.experiment.generation.number, g);
    EXPECT_EQ(loaded->experiment.experiment.total_rows, 11 * g);
    EXPECT_EQ(loaded->experiment.frames.values,
              Joined(MakeFrames(10 * g, 4, g).values, MakeFrames(g, 4, 100 + g).values));
  }

  // "*3 2": the kept generations, the current one with a star.
  std::string Kept() {
    const auto generations = store_->Generations("anna");
    if (!generations.ok()) return generations.status().ToString();
    std::string text;
    for (const GenerationRecord& generation : *generations) {
      absl::StrAppend(&text, text.empty() ? "" : " ", generation.current ? "*" : "", generation.info.number,
                      generation.status.ok() ? "" : "!");
    }
    return text;
  }
};

TEST_F(GenerationTest, TheLastOnesAreKeptWithTheirAdditions) {
  Open();
  TrainAnna(4);
  EXPECT_EQ(Kept(), "*4 3");
  EXPECT_THAT(Snapshots(), SizeIs(2));
  Open();
  EXPECT_THAT(Snapshots(), SizeIs(2));
  EXPECT_EQ(Kept(), "*4 3");
  ExpectLoads(std::nullopt, 4);
  ExpectLoads(4, 4);
  ExpectLoads(3, 3);
  const auto generations = store_->Generations("anna");
  EXPECT_EQ(generations->back().total_rows, 33);
  EXPECT_EQ(generations->back().info.rows, 30);
  EXPECT_EQ(generations->back().updated, absl::FromUnixSeconds(1'700'000'000) + absl::Minutes(3) + absl::Seconds(3));
  EXPECT_THAT(Load("anna", 2), FailsSaying(StatusCode::kInvalidArgument, Reason::kBadParameter, "there are: 4, 3"));
  EXPECT_THAT(store_->Generations("bob"), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
}

TEST_F(GenerationTest, DiskBytesAreThoseOfAllKeptGenerations) {
  Open();
  TrainAnna(3);
  int64_t bytes = 0;
  for (const std::string& snapshot : Snapshots()) {
    for (const auto& file : fs::directory_iterator(data_dir() + "/snapshots/" + snapshot)) {
      bytes += static_cast<int64_t>(file.file_size());
    }
  }
  EXPECT_EQ(store_->Get("anna")->disk_bytes, bytes);
  EXPECT_EQ(store_->List()->front().disk_bytes, bytes);
}

TEST_F(GenerationTest, RollbackBringsAGenerationBackAsItLastWas) {
  Open();
  TrainAnna(2);
  now_ += absl::Hours(1);
  const auto record = store_->Rollback("anna", std::nullopt);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->generation.number, 1);
  EXPECT_EQ(record->total_rows, 11);
  EXPECT_EQ(record->updated, now_);
  EXPECT_EQ(Kept(), "*1 2");
  Open();
  ExpectLoads(std::nullopt, 1);
  // What was added to the newer one stays with it.
  ExpectLoads(2, 2);
  const auto added = Append("anna", 1, MakeFrames(5, 4, 9).view());
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->first_id, 11);
  EXPECT_THAT(Append("anna", 2, MakeFrames(5, 4, 9).view()), FailsWith(StatusCode::kAborted, Reason::kInternal));
  // And back: the one that was current before.
  EXPECT_EQ(store_->Rollback("anna", std::nullopt)->generation.number, 2);
  EXPECT_EQ(Kept(), "*2 1");
}

TEST_F(GenerationTest, RollbackToANamedGeneration) {
  keep_generations_ = 3;
  Open();
  TrainAnna(3);
  EXPECT_EQ(store_->Rollback("anna", 1)->generation.number, 1);
  EXPECT_EQ(Kept(), "*1 3 2");
  EXPECT_EQ(store_->Rollback("anna", 1)->generation.number, 1);  // is so already
  EXPECT_EQ(Kept(), "*1 3 2");
  ExpectLoads(std::nullopt, 1);
  EXPECT_THAT(store_->Rollback("anna", 7),
              FailsSaying(StatusCode::kInvalidArgument, Reason::kBadParameter, "no generation 7; there are: 1, 3, 2"));
  EXPECT_THAT(store_->Rollback("bob", 1), FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
}

TEST_F(GenerationTest, WithOneGenerationThereIsNoneToGoBackTo) {
  Open();
  TrainAnna(1);
  EXPECT_THAT(store_->Rollback("anna", std::nullopt),
              FailsSaying(StatusCode::kInvalidArgument, Reason::kBadParameter, "there are: 1"));
  ExpectLoads(std::nullopt, 1);
}

TEST_F(GenerationTest, ATrainingAfterARollbackGetsANewNumberAndDropsTheOldestReign) {
  Open();
  TrainAnna(2);
  ASSERT_TRUE(store_->Rollback("anna", 1).ok());
  const auto committed = Train("anna", MakeFrames(30, 4, 3).view(), "index 3");
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ(committed->experiment.generation.number, 3);
  EXPECT_EQ(Kept(), "*3 1");
  EXPECT_THAT(Snapshots(), SizeIs(2));
  ExpectLoads(1, 1);
}

TEST_F(GenerationTest, DeleteRemovesAllGenerations) {
  Open();
  TrainAnna(3);
  ASSERT_TRUE(store_->Delete("anna").ok());
  EXPECT_THAT(Snapshots(), IsEmpty());
  TrainAnna(1);
  EXPECT_EQ(Kept(), "*1");
}

TEST_F(GenerationTest, ADamagedGenerationDoesNotHideTheOthers) {
  for (const char* damage : {"UPDATE generations SET total_rows = 1 WHERE number = 2",
                             "UPDATE generations SET snapshot = 'x' WHERE number = 2",
                             "UPDATE reigns SET since = 1 WHERE id = (SELECT max(id) FROM reigns)",
                             "UPDATE reigns SET id = id - 90 WHERE id = (SELECT max(id) FROM reigns)",
                             "DELETE FROM reigns WHERE id = (SELECT max(id) FROM reigns)",
                             "UPDATE generations SET number = 5 WHERE number = 2"}) {
    SCOPED_TRACE(damage);
    Open();
    TrainAnna(2);
    Execute(damage);
    EXPECT_EQ(store_->Get("anna")->status.code(), StatusCode::kDataLoss);
    EXPECT_THAT(Load("anna"), FailsWith(StatusCode::kDataLoss, Reason::kStorage));
    EXPECT_THAT(Append("anna", 2, MakeFrames(1, 4, 9).view()), FailsWith(StatusCode::kDataLoss, Reason::kStorage));
    const auto generations = store_->Generations("anna");
    ASSERT_THAT(*generations, SizeIs(2));
    ExpectLoads(1, 1);
    Open();  // which removes nothing, as the damaged row may speak of it
    EXPECT_THAT(Snapshots(), SizeIs(2));
    const auto record = store_->Rollback("anna", 1);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_TRUE(record->status.ok()) << record->status;
    ExpectLoads(std::nullopt, 1);
    ASSERT_TRUE(Append("anna", 1, MakeFrames(1, 4, 9).view()).ok());
    ASSERT_TRUE(store_->Delete("anna").ok());
  }
}

TEST_F(GenerationTest, ALostRowOfTheCurrentGenerationIsNoticed) {
  Open();
  TrainAnna(2);
  Execute("DELETE FROM generations WHERE number = 2");
  EXPECT_THAT(Load("anna"), FailsSaying(StatusCode::kDataLoss, Reason::kStorage, "generation 2"));
  EXPECT_EQ(Kept(), "1");
  EXPECT_EQ(store_->Rollback("anna", std::nullopt)->generation.number, 1);
  ExpectLoads(std::nullopt, 1);
  EXPECT_EQ(Train("anna", MakeFrames(3, 4, 3).view(), "index")->experiment.generation.number, 2);
}

TEST_F(GenerationTest, ADamagedRowOfTheExperimentCostsNoGeneration) {
  Open();
  TrainAnna(2);
  Execute("UPDATE experiments SET created = 5");
  EXPECT_THAT(Load("anna"), FailsWith(StatusCode::kDataLoss, Reason::kStorage));
  EXPECT_EQ(Kept(), "2 1");
  ExpectLoads(2, 2);
  ExpectLoads(1, 1);
  EXPECT_EQ(store_->Rollback("anna", 2)->generation.number, 2);
  ExpectLoads(std::nullopt, 2);
}

TEST_F(GenerationTest, PinsAreKept) {
  Open();
  TrainAnna(1);
  EXPECT_FALSE(store_->Get("anna")->pinned);
  ASSERT_TRUE(store_->SetPinned("anna", true).ok());
  ASSERT_TRUE(store_->SetPinned("anna", true).ok());
  EXPECT_THAT(StatusOnly{store_->SetPinned("bob", true)},
              FailsWith(StatusCode::kNotFound, Reason::kExperimentNotFound));
  Open();
  EXPECT_TRUE(store_->Get("anna")->pinned);
  EXPECT_TRUE(store_->List()->front().pinned);
  ASSERT_TRUE(Train("anna", MakeFrames(3, 4, 3).view(), "index").ok());
  EXPECT_TRUE(store_->Get("anna")->pinned);
  ASSERT_TRUE(store_->SetPinned("anna", false).ok());
  EXPECT_FALSE(store_->Get("anna")->pinned);
  ASSERT_TRUE(store_->SetPinned("anna", true).ok());
  ASSERT_TRUE(store_->Delete("anna").ok());
  TrainAnna(1);
  EXPECT_FALSE(store_->Get("anna")->pinned);
}

// A folder as schema version 1 left it: anna with one addition, and bob, whose row is damaged.
class Version1Test : public GenerationTest {
 protected:
  void SetUp() override {
    Open();
    TrainAnna(1);
    ASSERT_TRUE(Train("bob", MakeFrames(5, 4, 2).view(), "bob's").ok());
    store_.reset();
    Execute("UPDATE generations SET rows = 6 WHERE experiment = 'bob'");
    fs::rename(catalogue_path(), folder_ / "new.sqlite");
    Execute(kVersion1Sql);
    std::string copy = absl::StrCat("ATTACH '", (folder_ / "new.sqlite").string(), "' AS new;");
    for (const char* table : {"experiments", "generations", "additions", "addition_chunks", "requests"}) {
      absl::StrAppend(&copy, "INSERT INTO ", table, " SELECT * FROM new.", table, ";");
    }
    Execute(copy);
  }
};

TEST_F(Version1Test, IsBroughtUpToDate) {
  Open();
  EXPECT_EQ(Kept(), "*1");
  ExpectLoads(std::nullopt, 1);
  EXPECT_EQ(Load("bob").status().code(), StatusCode::kDataLoss);
  EXPECT_THAT(Snapshots(), SizeIs(2));
  ASSERT_TRUE(Train("anna", MakeFrames(20, 4, 2).view(), "index 2").ok());
  ASSERT_TRUE(Append("anna", 2, MakeFrames(2, 4, 102).view()).ok());
  Open();
  EXPECT_EQ(Kept(), "*2 1");
  ExpectLoads(std::nullopt, 2);
  ExpectLoads(1, 1);
}

}  // namespace
}  // namespace kith::storage
