#include "server/engine/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "server/base/status.h"
#include "tests/engine/fixtures.h"

namespace kith::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kQueueRows = 4000;
constexpr int64_t kBatchRows = 256;
const TimePoint kNow = TimePoint() + std::chrono::hours(1);

class BatchQueueTest : public ::testing::Test {
 protected:
  Job JobOf(int64_t rows) { return JobOver(index_, queries_.view().Slice(0, rows)); }
  Job JobOfOther(int64_t rows) { return JobOver(other_index_, queries_.view().Slice(0, rows)); }

  static Job From(uint64_t source, Job job) {
    job.source = source;
    return job;
  }

  std::vector<Slice> Take(TimePoint now = kNow) { return queue_.TakeBatch(now, &finished_); }
  std::vector<int64_t> RowsOf(const std::vector<Slice>& batch) {
    std::vector<int64_t> rows;
    for (const Slice& slice : batch) rows.push_back(slice.rows);
    return rows;
  }

  const std::shared_ptr<const retrieval::Index> index_ = SmallIndex();
  const std::shared_ptr<const retrieval::Index> other_index_ = SmallIndex(100, 2);
  const retrieval::Frames queries_ = kith::testing::SpeechLike(1500, 16, 3);
  BatchQueue queue_{kQueueRows, kBatchRows};
  std::vector<std::shared_ptr<Task>> finished_;
};

TEST_F(BatchQueueTest, ALoneBlockIsTakenAtOnceAndWhole) {
  ASSERT_TRUE(queue_.Push(JobOf(16), kNow).ok());
  EXPECT_THAT(RowsOf(Take()), ElementsAre(16));
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.waiting_rows(), 0);
}

TEST_F(BatchQueueTest, BlocksThatWaitForTheSameIndexAndParametersShareABatch) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue_.Push(JobOf(16), kNow).ok());
  EXPECT_THAT(RowsOf(Take()), ElementsAre(16, 16, 16));
}

TEST_F(BatchQueueTest, OtherParametersOrAnotherIndexMakeAnotherBatch) {
  ASSERT_TRUE(queue_.Push(JobOf(16), kNow).ok());
  ASSERT_TRUE(queue_.Push(JobOfOther(17), kNow).ok());
  Job other_k = JobOf(18);
  other_k.params.k = 3;
  ASSERT_TRUE(queue_.Push(std::move(other_k), kNow).ok());
  EXPECT_THAT(RowsOf(Take()), ElementsAre(16));
  EXPECT_THAT(RowsOf(Take()), ElementsAre(17));
  EXPECT_THAT(RowsOf(Take()), ElementsAre(18));
}

TEST_F(BatchQueueTest, NoBatchExceedsItsLimit) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(queue_.Push(JobOf(30), kNow).ok());
  int64_t taken = 0;
  while (!queue_.empty()) {
    int64_t rows = 0;
    for (const Slice& slice : Take()) rows += slice.rows;
    EXPECT_LE(rows, kBatchRows);
    taken += rows;
  }
  EXPECT_EQ(taken, 600);
}

TEST_F(BatchQueueTest, ALargeJobIsTakenInPartsThatCoverItOnce) {
  ASSERT_TRUE(queue_.Push(JobOf(1000), kNow).ok());
  int64_t next = 0;
  while (!queue_.empty()) {
    for (const Slice& slice : Take()) {
      EXPECT_EQ(slice.first_row, next);
      next += slice.rows;
    }
  }
  EXPECT_EQ(next, 1000);
}

TEST_F(BatchQueueTest, ABlockThatComesBehindALargeJobIsInTheNextBatch) {
  ASSERT_TRUE(queue_.Push(JobOf(1500), kNow).ok());
  Take();
  ASSERT_TRUE(queue_.Push(JobOf(16), kNow).ok());
  const std::vector<Slice> next = Take();
  ASSERT_EQ(next.size(), 2u);
  EXPECT_EQ(next[1].rows, 16);
}

class CostlyBatchQueueTest : public BatchQueueTest {
 protected:
  // Every list visited, each row compared with all 20,000.
  Job CostlyJob(int64_t rows) {
    Job job = JobOver(large_index_, queries_.view().Slice(0, rows));
    job.params = *large_index_->Resolve({8, 1 << 30, std::nullopt});
    return job;
  }

  static std::shared_ptr<const retrieval::Index> LargeIndex() {
    static const auto index = SmallIndex(20000, 4, "IVF16,Flat");
    return index;
  }

  const std::shared_ptr<const retrieval::Index> large_index_ = LargeIndex();
};

TEST_F(CostlyBatchQueueTest, ACostlyJobIsTakenInSmallerParts) {
  ASSERT_TRUE(queue_.Push(CostlyJob(1000), kNow).ok());
  const std::vector<Slice> first = Take();
  ASSERT_EQ(first.size(), 1u);
  EXPECT_GE(first[0].rows, 1);
  EXPECT_LT(first[0].rows, kBatchRows);
  int64_t next = first[0].rows;
  while (!queue_.empty()) {
    for (const Slice& slice : Take()) {
      EXPECT_EQ(slice.first_row, next);
      next += slice.rows;
    }
  }
  EXPECT_EQ(next, 1000);
}

TEST_F(CostlyBatchQueueTest, ABlockWaitsForOnePartOfACostlyJobOnly) {
  ASSERT_TRUE(queue_.Push(CostlyJob(1000), kNow).ok());
  Take();
  Job block = JobOver(large_index_, queries_.view().Slice(0, 16));
  block.params.nprobe = 1;
  ASSERT_TRUE(queue_.Push(std::move(block), kNow).ok());
  ASSERT_TRUE(queue_.Push(JobOf(17), kNow).ok());
  Take();
  EXPECT_THAT(RowsOf(Take()), ElementsAre(16));
  EXPECT_THAT(RowsOf(Take()), ElementsAre(17));
  EXPECT_EQ(Take().front().task->job.queries.rows, 1000);
}

TEST_F(CostlyBatchQueueTest, CostlyJobsTakeTurns) {
  ASSERT_TRUE(queue_.Push(CostlyJob(1000), kNow).ok());
  ASSERT_TRUE(queue_.Push(CostlyJob(900), kNow).ok());
  std::set<int64_t> taken;
  for (int i = 0; i < 2; ++i) {
    for (const Slice& slice : Take()) taken.insert(slice.task->job.queries.rows);
  }
  EXPECT_THAT(taken, ElementsAre(900, 1000));
}

TEST_F(BatchQueueTest, ExperimentsTakeTurns) {
  ASSERT_TRUE(queue_.Push(JobOf(1000), kNow).ok());
  ASSERT_TRUE(queue_.Push(JobOfOther(16), kNow).ok());
  EXPECT_EQ(Take().front().task->job.index, index_);
  EXPECT_EQ(Take().front().task->job.index, other_index_);
  EXPECT_EQ(Take().front().task->job.index, index_);
}

TEST_F(BatchQueueTest, AFullQueueRefusesWithARetryDelay) {
  ASSERT_TRUE(queue_.Push(From(1, JobOf(1500)), kNow).ok());
  ASSERT_TRUE(queue_.Push(From(2, JobOf(1500)), kNow).ok());
  const absl::Status refused = queue_.Push(From(3, JobOf(1001)), kNow);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(refused), "OVERLOADED");
  EXPECT_TRUE(RetryDelayOf(refused).has_value());
  EXPECT_TRUE(queue_.Push(From(3, JobOf(1000)), kNow).ok());
  while (!queue_.empty()) Take();
  EXPECT_TRUE(queue_.Push(JobOf(1500), kNow).ok()) << "rows taken make room";
}

TEST_F(BatchQueueTest, OneSourceCannotFillTheQueue) {
  absl::Status status;
  while (status.ok()) status = queue_.Push(From(1, JobOf(100)), kNow);
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_TRUE(RetryDelayOf(status).has_value());
  EXPECT_EQ(queue_.waiting_rows(), kQueueRows / 2);
  EXPECT_TRUE(queue_.Push(From(2, JobOf(1000)), kNow).ok());
}

TEST_F(BatchQueueTest, ASourceThatHasNothingWaitingMayTakeAllTheRoomThereIs) {
  BatchQueue narrow(1500, kBatchRows);
  EXPECT_TRUE(narrow.Push(From(1, JobOf(1500)), kNow).ok());
}

TEST_F(BatchQueueTest, ALateTaskIsGivenUpInsteadOfSearched) {
  Job job = JobOf(16);
  job.deadline = kNow + std::chrono::milliseconds(1);
  ASSERT_TRUE(queue_.Push(std::move(job), kNow).ok());
  ASSERT_TRUE(queue_.Push(JobOf(17), kNow).ok());
  EXPECT_THAT(RowsOf(Take(kNow + std::chrono::milliseconds(1))), ElementsAre(17));
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(ReasonOf(finished_[0]->status), "LATE");
  EXPECT_EQ(queue_.NextDeadline(), kNoDeadline);
}

TEST_F(BatchQueueTest, ExpireGivesUpWhatIsOverAndNothingElse) {
  for (const int seconds : {3, 1, 2}) {
    Job job = JobOf(16);
    job.deadline = kNow + std::chrono::seconds(seconds);
    ASSERT_TRUE(queue_.Push(std::move(job), kNow).ok());
  }
  EXPECT_EQ(queue_.NextDeadline(), kNow + std::chrono::seconds(1));
  queue_.Expire(kNow + std::chrono::seconds(2), &finished_);
  EXPECT_EQ(finished_.size(), 2u);
  EXPECT_EQ(queue_.waiting_rows(), 16);
  EXPECT_EQ(queue_.NextDeadline(), kNow + std::chrono::seconds(3));
  queue_.Expire(kNow + std::chrono::seconds(4), &finished_);
  EXPECT_EQ(finished_.size(), 3u);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(BatchQueueTest, ATaskThatIsPartlyWithAWorkerEndsWithItsLastSlice) {
  Job job = JobOf(600);
  job.deadline = kNow + std::chrono::seconds(1);
  ASSERT_TRUE(queue_.Push(std::move(job), kNow).ok());
  const std::vector<Slice> batch = Take();
  queue_.Expire(kNow + std::chrono::seconds(1), &finished_);
  EXPECT_THAT(finished_, IsEmpty());
  EXPECT_TRUE(queue_.empty());
  EXPECT_TRUE(queue_.Complete(batch.front(), absl::OkStatus()));
  EXPECT_EQ(ReasonOf(batch.front().task->status), "LATE");
}

TEST_F(BatchQueueTest, ACancelledTaskIsDropped) {
  Job job = JobOf(16);
  job.cancelled = [] { return true; };
  ASSERT_TRUE(queue_.Push(std::move(job), kNow).ok());
  EXPECT_THAT(Take(), IsEmpty());
  ASSERT_EQ(finished_.size(), 1u);
  EXPECT_EQ(finished_[0]->status.code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kith::engine
