#include "absl/strings/str_cat.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

// anna has 10 trained rows and additions of 2, 3 and 4 rows.
class FoldTest : public StorageTest {
 protected:
  void SetUp() override {
    Open();
    ASSERT_TRUE(Train("anna", MakeFrames(10, 4, 1).view(), "index of 10").ok());
    for (int rows : {2, 3, 4}) ASSERT_TRUE(Append("anna", 1, MakeFrames(rows, 4, rows).view()).ok());
    all_ = Load("anna")->experiment.frames;
  }

  // Folds the first `rows` rows.
  absl::StatusOr<ExperimentRecord> Fold(int64_t rows, int64_t generation = 1) {
    const std::string index = absl::StrCat("index of ", rows);
    return store_->Fold("anna", generation, all_.view().Slice(0, rows),
                        [&](ByteSink sink) { return sink(absl::MakeConstSpan(index)); });
  }

  int64_t CountAdditions() const {
    const auto database = Database::Open(catalogue_path(), Database::Mode::kReadOnly);
    Query query(*database, "SELECT count(*) FROM additions");
    EXPECT_TRUE(query.Next());
    return query.Integer(0);
  }

  void ExpectSnapshotOf(int64_t rows) {
    const auto loaded = Load("anna");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_EQ(loaded->index, absl::StrCat("index of ", rows));
    EXPECT_EQ(loaded->experiment.experiment.generation.rows, rows);
    EXPECT_EQ(loaded->experiment.experiment.generation.number, 1);
    EXPECT_EQ(loaded->experiment.experiment.generation.report.recall_at_8, 0.987654321);
    EXPECT_EQ(loaded->experiment.frames.values, all_.values);
    EXPECT_THAT(Snapshots(), SizeIs(1));
  }

  retrieval::Frames all_;
};

TEST_F(FoldTest, PutsTheAdditionsIntoTheSnapshot) {
  const auto record = Fold(19);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->generation.rows, 19);
  EXPECT_EQ(record->total_rows, 19);
  EXPECT_EQ(record->updated, store_->Get("anna")->updated);
  EXPECT_EQ(CountAdditions(), 0);
  ExpectSnapshotOf(19);
  Open();
  ExpectSnapshotOf(19);
  EXPECT_EQ(Append("anna", 1, MakeFrames(1, 4, 9).view())->first_id, 19);
}

TEST_F(FoldTest, AdditionsBehindTheFoldedRowsStay) {
  ASSERT_TRUE(Fold(15).ok());
  EXPECT_EQ(CountAdditions(), 1);
  ExpectSnapshotOf(15);
  ASSERT_TRUE(Fold(19).ok());
  ExpectSnapshotOf(19);
}

TEST_F(FoldTest, AnAdditionThatComesMeanwhileStays) {
  const auto late = MakeFrames(5, 4, 9);
  const auto record = store_->Fold("anna", 1, all_.view(), [&](ByteSink sink) {
    EXPECT_TRUE(Append("anna", 1, late.view(), Request{"r", "d"}).ok());
    return sink(std::string("index of 19"));
  });
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->total_rows, 24);
  all_.values = Joined(all_.values, late.values);
  ExpectSnapshotOf(19);
  EXPECT_TRUE(Append("anna", 1, late.view(), Request{"r", "d"})->repeated);
}

TEST_F(FoldTest, WithNothingToForgetNothingIsWritten) {
  const std::string before = Snapshot();
  EXPECT_TRUE(Fold(10).ok());
  EXPECT_EQ(Snapshot(), before);
  ExpectSnapshotOf(10);
}

TEST_F(FoldTest, OtherFramesThanThoseStoredAreRefused) {
  const auto aborted = FailsWith(StatusCode::kAborted, Reason::kInternal);
  EXPECT_THAT(Fold(14), aborted);  // inside an addition
  EXPECT_THAT(Fold(19, 2), aborted);
  all_.values[4 * 12] += 1;
  EXPECT_THAT(Fold(19), aborted);
  all_.values[4 * 12] -= 1;
  all_.values = Joined(all_.values, {1, 2, 3, 4});
  EXPECT_THAT(Fold(20), aborted);
  all_.values.resize(19 * 4);
  EXPECT_EQ(CountAdditions(), 3);
  ExpectSnapshotOf(10);
}

TEST_F(FoldTest, AGenerationThatIsReplacedMeanwhileIsLeftAlone) {
  keep_generations_ = 1;
  Open();
  EXPECT_THAT(store_->Fold("anna", 1, all_.view(),
                           [&](ByteSink sink) {
                             EXPECT_TRUE(store_->Delete("anna").ok());
                             EXPECT_TRUE(Train("anna", MakeFrames(19, 4, 5).view(), "another anna").ok());
                             return sink(std::string("folded"));
                           }),
              FailsWith(StatusCode::kAborted, Reason::kInternal));
  EXPECT_EQ(Load("anna")->index, "another anna");
  EXPECT_THAT(Snapshots(), SizeIs(1));
}

TEST_F(FoldTest, AnOlderGenerationMayBeFoldedAsWell) {
  ASSERT_TRUE(Train("anna", MakeFrames(5, 4, 5).view(), "newer").ok());
  const auto record = Fold(19);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->generation.number, 2);
  EXPECT_EQ(Load("anna", 1)->index, "index of 19");
  EXPECT_EQ(Load("anna")->index, "newer");
  EXPECT_THAT(Snapshots(), SizeIs(2));
}

TEST_F(FoldTest, AFailingIndexWriterLeavesEverythingAsItWas) {
  EXPECT_THAT(store_->Fold("anna", 1, all_.view(), [](ByteSink) { return Error(Reason::kCancelled, "stopped"); }),
              FailsSaying(StatusCode::kCancelled, Reason::kCancelled, "stopped"));
  ExpectSnapshotOf(10);
}

TEST_F(FoldTest, ALoadUnderWayIsNotDisturbed) {
  std::string index(11, '\0');
  const auto loaded =
      store_->Load("anna", std::nullopt, [&](const GenerationInfo& info, retrieval::FrameView, ByteSource source) {
        EXPECT_EQ(info.rows, 10);
        EXPECT_TRUE(Fold(19).ok());
        return source(absl::MakeSpan(index)).status();
      });
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(index, "index of 10");
  EXPECT_EQ(loaded->frames.values, all_.values);
}

}  // namespace
}  // namespace kith::storage
