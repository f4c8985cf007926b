// Several clients at one queue, and the blocks that would be late. Time goes on in steps, by hand: each batch takes as
// long as its rows say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/engine/batch_queue.h"
#include "tests/engine/fixtures.h"

namespace kith::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int64_t kBatchRows = 64;
constexpr microseconds kOfARow(10);
constexpr uint64_t kFlooder = 1;
constexpr uint64_t kOthers = 100;  // the first of them

// One worker and its queue. Waits are counted in rows that were searched meanwhile.
class FairQueueTest : public ::testing::Test {
 protected:
  Job JobOf(uint64_t source, int64_t rows, int voice = 0) {
    Job job = JobOver(voices_[voice], queries_.view().Slice(0, rows));
    job.source = source;
    return job;
  }

  void Push(Job job) { ASSERT_TRUE(queue_.Push(std::move(job), now_).ok()); }

  // One batch. Counts the rows of each source.
  void Step() {
    const std::vector<Slice> batch = queue_.TakeBatch(now_, &finished_);
    int64_t rows = 0;
    for (const Slice& slice : batch) {
      rows += slice.rows;
      rows_of_[slice.task->job.source] += slice.rows;
    }
    now_ += kOfARow * rows;
    if (!batch.empty()) queue_.Measured(batch, kOfARow * rows);
    for (const Slice& slice : batch) {
      if (queue_.Complete(slice, absl::OkStatus())) finished_.push_back(slice.task);
    }
  }

  // How many rows are searched until the source has had `rows`.
  int64_t RowsUntil(uint64_t source, int64_t rows) {
    const TimePoint start = now_;
    const int64_t before = rows_of_[source];
    while (rows_of_[source] - before < rows && !queue_.empty()) Step();
    return (now_ - start) / kOfARow;
  }

  // So that the pace is known.
  void WarmUp() {
    for (int i = 0; i < 50; ++i) {
      Push(JobOf(kFlooder, 16));
      Step();
    }
    finished_.clear();
  }

  const std::vector<std::shared_ptr<const retrieval::Index>> voices_ = {SmallIndex(), SmallIndex(100, 2)};
  const retrieval::Frames queries_ = kith::testing::SpeechLike(1500, 16, 3);
  BatchQueue queue_{20'000, kBatchRows};
  TimePoint now_ = TimePoint() + std::chrono::hours(1);
  std::vector<std::shared_ptr<Task>> finished_;
  std::map<uint64_t, int64_t> rows_of_;
};

TEST_F(FairQueueTest, ABlockDoesNotWaitBehindWhatAnotherClientHasSent) {
  for (int i = 0; i < 500; ++i) Push(JobOf(kFlooder, 16));
  Push(JobOf(kOthers, 16));
  EXPECT_LE(RowsUntil(kOthers, 16), kBatchRows);
}

TEST_F(FairQueueTest, NorWhereThatOneUsesManyGroups) {
  for (int i = 0; i < 500; ++i) {
    Job job = JobOf(kFlooder, 16);
    job.params.k = 1 + i % 100;
    Push(std::move(job));
  }
  Step();
  Push(JobOf(kOthers, 16, 1));
  EXPECT_LE(RowsUntil(kOthers, 16), 2 * kBatchRows);
}

TEST_F(FairQueueTest, NorBehindLargeJobs) {
  for (int i = 0; i < 5; ++i) Push(JobOf(kFlooder, 1500));
  Step();
  Push(JobOf(kOthers, 16, 1));
  EXPECT_LE(RowsUntil(kOthers, 16), 2 * kBatchRows);
}

TEST_F(FairQueueTest, AFlooderOnlyTakesAShareAsLargeAsTheOthers) {
  // Four clients that send the next block as soon as the last is answered, and one that has always more waiting.
  for (int i = 0; i < 500; ++i) Push(JobOf(kFlooder, 16, i % 2));
  for (uint64_t client = 0; client < 4; ++client) Push(JobOf(kOthers + client, 16));
  for (int step = 0; step < 200; ++step) {
    finished_.clear();
    Step();
    for (const auto& task : std::exchange(finished_, {})) {
      const uint64_t source = task->job.source;
      Push(source == kFlooder ? JobOf(kFlooder, 16, step % 2) : JobOf(source, 16));
    }
  }
  for (uint64_t client = 0; client < 4; ++client) {
    EXPECT_GE(rows_of_[kOthers + client] * 3, rows_of_[kFlooder] * 2) << client;
  }
  EXPECT_GE(rows_of_[kFlooder] * 3, rows_of_[kOthers] * 2) << "nor is he starved";
}

TEST_F(FairQueueTest, ClientsThatWaitTheLongestComeFirst) {
  for (uint64_t client = 0; client < 12; ++client) Push(JobOf(kOthers + client, 16, static_cast<int>(client % 2)));
  std::vector<uint64_t> order;
  while (!queue_.empty()) {
    for (const Slice& slice : queue_.TakeBatch(now_, &finished_)) order.push_back(slice.task->job.source - kOthers);
  }
  EXPECT_THAT(order, ::testing::ElementsAre(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 9, 11));
}

TEST_F(FairQueueTest, ABlockThatCannotMakeItIsRefusedAtOnce) {
  WarmUp();
  for (uint64_t client = 0; client < 100; ++client) Push(JobOf(kOthers + client, 16));  // 16 ms of work
  Job block = JobOf(7, 16);
  block.deadline = now_ + milliseconds(10);
  EXPECT_EQ(ReasonOf(queue_.Push(block, now_)), "LATE");
  block.deadline = now_ + milliseconds(20);
  EXPECT_TRUE(queue_.Push(block, now_).ok());
  while (!queue_.empty()) Step();
  EXPECT_TRUE(finished_.back()->status.ok());
  EXPECT_TRUE(finished_.back()->job.source == 7 || now_ <= block.deadline);
}

TEST_F(FairQueueTest, WhatAFlooderHasWaitingMakesNobodyElseLate) {
  WarmUp();
  for (int i = 0; i < 500; ++i) Push(JobOf(kFlooder, 16));  // 80 ms of work
  Job block = JobOf(7, 16);
  block.deadline = now_ + milliseconds(2);
  EXPECT_TRUE(queue_.Push(block, now_).ok());
  while (rows_of_[7] == 0) Step();
  EXPECT_LE(now_, block.deadline);
  Job his = JobOf(kFlooder, 16);
  his.deadline = now_ + milliseconds(2);
  EXPECT_EQ(ReasonOf(queue_.Push(his, now_)), "LATE");
}

TEST_F(FairQueueTest, ABlockHasToHaveTimeForAllOfItsBatch) {
  WarmUp();
  const microseconds batch = kOfARow * kBatchRows;
  for (uint64_t client = 0; client < 3; ++client) Push(JobOf(kOthers + client, 16));
  Job block = JobOf(7, 16);
  block.deadline = now_ + batch * 5 / 4;  // time for what is ahead of it and for itself, one after the other
  EXPECT_EQ(ReasonOf(queue_.Push(block, now_)), "LATE");
  block.deadline = now_ + 2 * batch;
  Push(block);
  now_ += batch * 3 / 2;  // meanwhile something else had the core
  while (!queue_.empty()) Step();
  EXPECT_EQ(rows_of_[7], 0);
  EXPECT_EQ(rows_of_[kOthers], 16);

  block.deadline = now_ + kOfARow;  // alone, for which nobody is kept waiting
  Push(block);
  Step();
  EXPECT_EQ(rows_of_[7], 16);
}

TEST_F(FairQueueTest, WhichIsNoLargerThanACostlyIndexAllows) {
  const auto costly = SmallIndex(200, 1, "HNSW32,Flat");
  const int64_t rows_at_once = costly->RowsAtOnce(*costly->Resolve({}));
  BatchQueue queue(1'000'000, 65536);
  const auto job = [&](uint64_t source, int64_t rows) {
    Job made = JobOver(costly, queries_.view().Slice(0, rows));
    made.source = source;
    return made;
  };
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queue.Push(job(kFlooder, 16), now_).ok());
    const auto batch = queue.TakeBatch(now_, &finished_);
    queue.Measured(batch, kOfARow * 16);
    for (const Slice& slice : batch) queue.Complete(slice, absl::OkStatus());
  }
  for (int64_t rows = 0; rows < 4 * rows_at_once; rows += 1500) {
    ASSERT_TRUE(queue.Push(job(kFlooder, 1500), now_).ok());
  }
  Job block = job(7, 16);
  block.deadline = now_ + 2 * kOfARow * rows_at_once;
  EXPECT_TRUE(queue.Push(block, now_).ok());
}

TEST_F(FairQueueTest, NothingIsRefusedAsLongAsThePaceIsNotKnown) {
  for (uint64_t client = 0; client < 100; ++client) Push(JobOf(kOthers + client, 16));
  Job block = JobOf(7, 16);
  block.deadline = now_ + microseconds(1);
  EXPECT_TRUE(queue_.Push(block, now_).ok());
}

TEST_F(FairQueueTest, ASlowTimeIsOverAsSoonAsBlocksAreSearchedFastAgain) {
  WarmUp();
  for (int i = 0; i < 200; ++i) {
    Push(JobOf(kFlooder, 16));
    const auto batch = queue_.TakeBatch(now_, &finished_);
    queue_.Measured(batch, milliseconds(50));
    queue_.Complete(batch.front(), absl::OkStatus());
  }
  const auto block = [this](uint64_t source) {
    Job job = JobOf(source, 16);
    job.deadline = now_ + milliseconds(20);
    return job;
  };
  Push(block(7));  // where nothing is ahead of it, it is let in all the same
  EXPECT_EQ(ReasonOf(queue_.Push(block(8), now_)), "LATE");
  const auto batch = queue_.TakeBatch(now_, &finished_);
  ASSERT_FALSE(batch.empty());
  EXPECT_EQ(ReasonOf(queue_.Push(block(8), now_)), "LATE") << "while a worker is at another";
  queue_.Complete(batch.front(), absl::OkStatus());
  for (int i = 0; i < 200; ++i) {
    Push(block(7));
    Step();
  }
  Push(block(7));
  EXPECT_TRUE(queue_.Push(block(8), now_).ok());
}

TEST_F(FairQueueTest, WithMoreWorkersMoreMakeIt) {
  BatchQueue queue(20'000, kBatchRows, 4);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queue.Push(JobOf(kFlooder, 16), now_).ok());
    const auto batch = queue.TakeBatch(now_, &finished_);
    queue.Measured(batch, kOfARow * 16);
  }
  for (uint64_t client = 0; client < 100; ++client) {
    ASSERT_TRUE(queue.Push(JobOf(kOthers + client, 16), now_).ok());
  }
  Job block = JobOf(7, 16);
  block.deadline = now_ + milliseconds(10);
  EXPECT_TRUE(queue.Push(block, now_).ok());
}

TEST_F(FairQueueTest, UnderTwiceTheLoadThatFitsWhatIsAcceptedIsInTimeAndNoTimeIsLost) {
  // 64 clients, a block of 16 rows each every 5.12 ms: 10.24 ms of work in 5.12 ms.
  WarmUp();
  constexpr milliseconds kBudget(8);
  constexpr microseconds kInterval(5120);
  std::vector<TimePoint> next(64);
  for (size_t i = 0; i < next.size(); ++i) next[i] = now_ + kInterval * i / next.size();
  std::minstd_rand random(1);  // nobody is always just behind the same one
  rows_of_.clear();
  const TimePoint start = now_;
  int refused = 0;
  while (now_ < start + std::chrono::seconds(1)) {
    for (size_t i = 0; i < next.size(); ++i) {
      for (; next[i] <= now_; next[i] += kInterval + microseconds(random() % 1001) - microseconds(500)) {
        Job job = JobOf(kOthers + i, 16);
        job.deadline = next[i] + kBudget;
        if (!queue_.Push(std::move(job), now_).ok()) ++refused;
      }
    }
    queue_.Expire(now_, &finished_);
    ASSERT_FALSE(queue_.empty());
    Step();
  }
  int64_t late = 0;
  for (const auto& task : finished_) late += task->status.ok() ? 0 : 1;
  int64_t searched = 0;
  for (const auto& [source, rows] : rows_of_) searched += rows;
  EXPECT_GE(searched * kOfARow, std::chrono::milliseconds(950));
  EXPECT_GE(refused, 4000) << "half of 12,500";
  EXPECT_LE(late, static_cast<int64_t>(finished_.size()) / 5) << "refused at once, not after waiting";
  const auto [least, most] = std::minmax_element(rows_of_.begin(), rows_of_.end(),
                                                 [](const auto& a, const auto& b) { return a.second < b.second; });
  EXPECT_GE(least->second * 2, most->second) << "of all clients alike";
}

}  // namespace
}  // namespace kith::engine
