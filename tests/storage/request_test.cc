#include <thread>

#include "server/storage/sqlite.h"
#include "tests/storage/storage_fixture.h"

namespace kith::storage {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

using RequestTest = StorageTest;

TEST_F(RequestTest, ARepeatedAppendIsAnsweredAsTheFirst) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(10, 4, 2).view(), "index").ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"r1", "digest"}).ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"r2", "digest"}).ok());

  Open();
  now_ += absl::Hours(23);
  const auto again = Append("anna", 1, frames.view(), Request{"r1", "digest"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->first_id, 10);
  EXPECT_EQ(again->rows, 5);
  EXPECT_EQ(again->total_rows, 15);
  EXPECT_EQ(again->generation, 1);
  EXPECT_EQ(store_->Get("anna")->total_rows, 20);
  EXPECT_EQ(Load("anna")->experiment.frames.rows(), 20);

  const auto found = store_->FindRequest("anna", "r2");
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->kind, RequestKind::kAdd);
  EXPECT_EQ((*found)->digest, "digest");
  EXPECT_EQ((*found)->first_id, 15);
  EXPECT_EQ((*found)->rows, 5);
  EXPECT_EQ((*found)->total_rows, 20);
  EXPECT_EQ((*found)->generation, 1);
  EXPECT_EQ(*store_->FindRequest("anna", "r3"), std::nullopt);
  EXPECT_EQ(*store_->FindRequest("bob", "r1"), std::nullopt);
}

TEST_F(RequestTest, ARepeatIsAnsweredEvenAfterAnotherTraining) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(10, 4, 2).view(), "index").ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"r", "digest"}).ok());
  ASSERT_TRUE(Train("anna", MakeFrames(3, 4, 3).view(), "index").ok());
  const auto again = Append("anna", 2, frames.view(), Request{"r", "digest"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->generation, 1);
  EXPECT_EQ(store_->Get("anna")->total_rows, 3);
}

TEST_F(RequestTest, ARepeatedTrainingTrainsOnce) {
  const auto frames = MakeFrames(10, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", frames.view(), "first", Request{"r", "digest"}).ok());
  ASSERT_TRUE(Append("anna", 1, frames.view()).ok());
  const auto again = Train("anna", frames.view(), "second", Request{"r", "digest"});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated);
  EXPECT_EQ(again->experiment.generation.number, 1);
  EXPECT_EQ(again->experiment.total_rows, 20);
  EXPECT_EQ(Load("anna")->index, "first");
  EXPECT_THAT(Snapshots(), SizeIs(1));
  const auto found = store_->FindRequest("anna", "r");
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_EQ((*found)->kind, RequestKind::kTrain);
  EXPECT_EQ((*found)->generation, 1);
}

TEST_F(RequestTest, TwoTrainingsOfOneRequestAtTheSameTimeAreOne) {
  const auto frames = MakeFrames(10, 4, 1);
  Open();
  const auto slower = store_->CommitGeneration(
      "anna", SomeRecipe(), SomeReport(), frames.view(),
      [&](ByteSink sink) {
        EXPECT_TRUE(Train("anna", frames.view(), "faster", Request{"r", "digest"}).ok());
        return sink("slower");
      },
      nullptr, Request{"r", "digest"});
  ASSERT_TRUE(slower.ok()) << slower.status();
  EXPECT_TRUE(slower->repeated);
  EXPECT_EQ(slower->experiment.generation.number, 1);
  EXPECT_EQ(Load("anna")->index, "faster");
  EXPECT_THAT(Snapshots(), SizeIs(1));
}

TEST_F(RequestTest, ConcurrentRepeatsAddOnce) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", MakeFrames(10, 4, 2).view(), "index").ok());
  std::vector<AddRecord> records(8);
  std::vector<std::thread> threads;
  for (AddRecord& record : records) {
    threads.emplace_back([&] {
      const auto added = Append("anna", 1, frames.view(), Request{"r", "digest"});
      ASSERT_TRUE(added.ok()) << added.status();
      record = *added;
    });
  }
  for (std::thread& thread : threads) thread.join();
  int firsts = 0;
  for (const AddRecord& record : records) {
    firsts += record.repeated ? 0 : 1;
    EXPECT_EQ(record.first_id, 10);
    EXPECT_EQ(record.total_rows, 15);
  }
  EXPECT_EQ(firsts, 1);
  EXPECT_EQ(store_->Get("anna")->total_rows, 15);
}

TEST_F(RequestTest, AnIdWithOtherContentIsRefused) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", frames.view(), "index", Request{"t", "digest"}).ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"a", "digest"}).ok());
  const auto reused = FailsSaying(StatusCode::kAlreadyExists, Reason::kRequestIdReused, "an id of its own");
  EXPECT_THAT(Append("anna", 1, frames.view(), Request{"a", "other"}), reused);
  EXPECT_THAT(Append("anna", 1, frames.view(), Request{"t", "digest"}), reused);
  EXPECT_THAT(Train("anna", frames.view(), "index", Request{"t", "other"}), reused);
  EXPECT_THAT(Train("anna", frames.view(), "index", Request{"a", "digest"}), reused);
  EXPECT_EQ(store_->Get("anna")->total_rows, 10);
  EXPECT_EQ(store_->Get("anna")->generation.number, 1);
  EXPECT_THAT(Snapshots(), SizeIs(1));
}

TEST_F(RequestTest, IdsExpireAfterADay) {
  const auto frames = MakeFrames(5, 4, 1);
  Open();
  ASSERT_TRUE(Train("anna", frames.view(), "index", Request{"t", "digest"}).ok());
  ASSERT_TRUE(Append("anna", 1, frames.view(), Request{"a", "digest"}).ok());
  now_ += kRequestLifetime;
  EXPECT_TRUE(store_->FindRequest("anna", "a")->has_value());
  now_ += absl::Microseconds(1);
  EXPECT_FALSE(store_->FindRequest("anna", "a")->has_value());
  const auto added = Append("anna", 1, frames.view(), Request{"a", "other"});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_FALSE(added->repeated);
  EXPECT_EQ(added->first_id, 10);

  // The expired ones are not kept.
  store_.reset();
  const auto database = Database::Open(catalogue_path(), Database::Mode::kReadOnly);
  ASSERT_TRUE(database.ok()) << database.status();
  Query rows(*database, "SELECT count(*) FROM requests");
  ASSERT_TRUE(rows.Next());
  EXPECT_EQ(rows.Integer(0), 1);
}

}  // namespace
}  // namespace kith::storage
