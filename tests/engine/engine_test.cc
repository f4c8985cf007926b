#include "server/engine/engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <new>
#include <thread>

#include "server/base/status.h"
#include "tests/engine/fixtures.h"

namespace kith::engine {
namespace {

// A job whose neighbours are gathered, and the future of its end.
struct Gathered {
  explicit Gathered(const Job& job) : neighbors(job.queries.rows, job.params.k) {}

  retrieval::Neighbors neighbors;
  std::promise<absl::Status> end;
};

std::future<absl::Status> Submit(Engine* engine, Job job, Gathered* gathered) {
  job.consume = [gathered](int64_t first_row, retrieval::NeighborsView part) {
    std::copy_n(part.ids, part.size(), gathered->neighbors.ids.begin() + first_row * part.k);
    std::copy_n(part.distances, part.size(), gathered->neighbors.distances.begin() + first_row * part.k);
  };
  job.done = [gathered](const absl::Status& status) { gathered->end.set_value(status); };
  auto end = gathered->end.get_future();
  if (absl::Status status = engine->Submit(std::move(job)); !status.ok()) gathered->end.set_value(status);
  return end;
}

// Holds up the only worker of an engine until it is let go.
class Plug {
 public:
  Plug(Engine* engine, const std::shared_ptr<const retrieval::Index>& index, retrieval::FrameView row) {
    auto started = std::make_shared<std::promise<void>>();
    Job job = JobOver(index, row);
    job.done = [started, go_on = go_on_.get_future().share()](const absl::Status&) {
      started->set_value();
      go_on.wait();
    };
    EXPECT_TRUE(engine->Submit(std::move(job)).ok());
    started->get_future().wait();
  }
  void Pull() { go_on_.set_value(); }

 private:
  std::promise<void> go_on_;
};

class EngineTest : public ::testing::Test {
 protected:
  const std::shared_ptr<const retrieval::Index> index_ = SmallIndex();
  const retrieval::Frames queries_ = kith::testing::SpeechLike(3000, 16, 3);
};

TEST_F(EngineTest, AnswersAreThoseOfTheIndexForSmallAndLargeJobs) {
  Engine engine({2, 65536, 256});
  for (const int64_t rows : {int64_t{1}, int64_t{16}, int64_t{3000}}) {
    const Job job = JobOver(index_, queries_.view().Slice(0, rows));
    Gathered gathered(job);
    ASSERT_TRUE(Submit(&engine, job, &gathered).get().ok());
    const auto expected = index_->Search(job.queries, job.params);
    EXPECT_EQ(gathered.neighbors.ids, expected->ids) << rows;
    for (size_t i = 0; i < expected->distances.size(); ++i) {
      EXPECT_NEAR(gathered.neighbors.distances[i], expected->distances[i], 1e-4) << rows;
    }
  }
}

// A job that may be searched where it is submitted, and that tells which thread searched it.
Job JobHere(const std::shared_ptr<const retrieval::Index>& index, retrieval::FrameView rows,
            std::promise<std::thread::id>* searched_by) {
  Job job = JobOver(index, rows);
  job.here = true;
  job.consume = [searched_by](int64_t, retrieval::NeighborsView) {
    searched_by->set_value(std::this_thread::get_id());
  };
  return job;
}

TEST_F(EngineTest, ALoneJobThatMayIsSearchedByTheThreadThatSubmitsIt) {
  Engine engine({1, 65536, 256});
  std::promise<std::thread::id> searched_by;
  bool done = false;
  Job job = JobHere(index_, queries_.view().Slice(0, 16), &searched_by);
  job.done = [&](const absl::Status& status) { done = status.ok(); };
  ASSERT_TRUE(engine.Submit(std::move(job)).ok());
  EXPECT_TRUE(done);
  EXPECT_EQ(searched_by.get_future().get(), std::this_thread::get_id());
}

TEST_F(EngineTest, TellsWhenItLastSearched) {
  Engine engine({1, 65536, 256});
  EXPECT_EQ(engine.last_batch(), TimePoint());
  for (const bool here : {false, true}) {
    const TimePoint before = Clock::now();
    Job job = JobOver(index_, queries_.view().Slice(0, 16));
    job.here = here;
    Gathered gathered(job);
    ASSERT_TRUE(Submit(&engine, job, &gathered).get().ok());
    EXPECT_GE(engine.last_batch(), before) << here;
  }
}

TEST_F(EngineTest, ALargeOneIsLeftToAWorkerThoughItIsAlone) {
  Engine engine({1, 65536, 65536});
  const auto costly = SmallIndex(200, 1, "HNSW32,Flat");
  const int64_t most = costly->RowsAtOnce(*costly->Resolve({})) / 2;
  ASSERT_LT(most, queries_.rows());
  for (const int64_t rows : {most, most + 1}) {
    std::promise<std::thread::id> searched_by;
    ASSERT_TRUE(engine.Submit(JobHere(costly, queries_.view().Slice(0, rows), &searched_by)).ok());
    EXPECT_EQ(searched_by.get_future().get() == std::this_thread::get_id(), rows == most) << rows;
  }
}

TEST_F(EngineTest, BesideOthersItIsLeftToAWorker) {
  Engine engine({1, 65536, 256});
  std::promise<void> started;
  std::promise<void> go_on;
  Job other = JobOver(index_, queries_.view().Slice(0, 1));
  other.consume = [&](int64_t, retrieval::NeighborsView) {
    started.set_value();
    go_on.get_future().wait();
  };
  ASSERT_TRUE(engine.Submit(std::move(other)).ok());
  started.get_future().wait();
  std::promise<std::thread::id> searched_by;
  ASSERT_TRUE(engine.Submit(JobHere(index_, queries_.view().Slice(0, 16), &searched_by)).ok());
  EXPECT_EQ(engine.waiting_rows(), 16);
  go_on.set_value();
  EXPECT_NE(searched_by.get_future().get(), std::this_thread::get_id());
}

TEST_F(EngineTest, WhatIsTooMuchForOneTurnIsFinishedByWorkers) {
  Engine engine({2, 65536, 256});
  Job job = JobOver(index_, queries_.view());
  job.here = true;
  Gathered gathered(job);
  ASSERT_TRUE(Submit(&engine, job, &gathered).get().ok());
  EXPECT_EQ(gathered.neighbors.ids, index_->Search(job.queries, job.params)->ids);
}

TEST_F(EngineTest, TheTimesOfAJobAreInOrderAndTheRowsOfEveryBatchAreTold) {
  std::atomic<int64_t> rows{0};
  std::atomic<int> batches{0};
  EngineOptions options{2, 65536, 256};
  options.on_batch = [&](int64_t of_batch) {
    rows += of_batch;
    ++batches;
    EXPECT_LE(of_batch, 256);
  };
  Engine engine(options);
  for (const int64_t of_job : {int64_t{1}, int64_t{3000}}) {  // the second in several batches, on both workers
    rows = batches = 0;
    JobTimes times;
    Job job = JobOver(index_, queries_.view().Slice(0, of_job));
    job.times = &times;
    Gathered gathered(job);
    const TimePoint before = Clock::now();
    ASSERT_TRUE(Submit(&engine, job, &gathered).get().ok());
    EXPECT_LE(before, times.queued);
    EXPECT_LE(times.queued, times.taken);
    EXPECT_LT(times.taken, times.computed);
    EXPECT_LE(times.computed, Clock::now());
    EXPECT_EQ(rows, of_job);
    EXPECT_EQ(batches > 1, of_job > 256);
  }
}

TEST_F(EngineTest, RowsWaitUntilAWorkerTakesThem) {
  Engine engine({1, 65536, 256});
  EXPECT_EQ(engine.waiting_rows(), 0);
  Plug plug(&engine, index_, queries_.view().Slice(0, 1));
  const Job job = JobOver(index_, queries_.view().Slice(0, 20));
  Gathered gathered(job);
  auto end = Submit(&engine, job, &gathered);
  EXPECT_EQ(engine.waiting_rows(), 20);
  plug.Pull();
  ASSERT_TRUE(end.get().ok());
  EXPECT_EQ(engine.waiting_rows(), 0);
}

TEST_F(EngineTest, AnAnswerThatThereIsNoMemoryForIsAnErrorThatSaysSo) {
  Engine engine({1, 65536, 256});
  std::promise<absl::Status> end;
  Job job = JobOver(index_, queries_.view().Slice(0, 16));
  job.consume = [](int64_t, retrieval::NeighborsView) { throw std::bad_alloc(); };
  job.done = [&](const absl::Status& status) { end.set_value(status); };
  ASSERT_TRUE(engine.Submit(std::move(job)).ok());
  EXPECT_EQ(ReasonOf(end.get_future().get()), "MEMORY_BUDGET");
}

TEST_F(EngineTest, ManyCallersAtOnceEachGetTheirOwnRows) {
  Engine engine({2, 65536, 64});
  const auto expected = index_->Search(queries_.view(), *index_->Resolve({}));
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  callers.reserve(16);
  for (int64_t caller = 0; caller < 16; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 10; ++i) {
        const int64_t first = (caller * 10 + i) * 16;
        const Job job = JobOver(index_, queries_.view().Slice(first, 16));
        Gathered gathered(job);
        if (!Submit(&engine, job, &gathered).get().ok() ||
            !std::equal(gathered.neighbors.ids.begin(), gathered.neighbors.ids.end(),
                        expected->ids.begin() + first * 8)) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(EngineTest, AFullQueueRefusesAtOnceAndRecovers) {
  Engine engine({1, 100, 64});
  Plug plug(&engine, index_, queries_.view().Slice(0, 1));
  const Job job = JobOver(index_, queries_.view().Slice(0, 60));
  Gathered first(job);
  Gathered second(job);
  Gathered third(job);
  auto first_end = Submit(&engine, job, &first);
  EXPECT_EQ(ReasonOf(Submit(&engine, job, &second).get()), "OVERLOADED");
  plug.Pull();
  EXPECT_TRUE(first_end.get().ok());
  EXPECT_TRUE(Submit(&engine, job, &third).get().ok());
}

TEST_F(EngineTest, RowsThatWaitElsewhereTakeTheirPlacesUntilTheyAreLetGo) {
  Engine engine({1, 100, 64});
  const Job job = JobOver(index_, queries_.view().Slice(0, 60));
  Gathered first(job);
  Gathered second(job);
  auto held = engine.HoldRows(60);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(ReasonOf(engine.HoldRows(41).status()), "OVERLOADED");
  EXPECT_EQ(ReasonOf(Submit(&engine, job, &first).get()), "OVERLOADED");
  held->reset();
  EXPECT_TRUE(Submit(&engine, job, &second).get().ok());
  EXPECT_TRUE(engine.HoldRows(100).ok());
}

TEST_F(EngineTest, ABlockIsAnsweredLateWhenItsTimeIsOverThoughEveryWorkerIsBusy) {
  Engine engine({1, 1000, 64});
  Plug plug(&engine, index_, queries_.view().Slice(0, 1));
  Job job = JobOver(index_, queries_.view().Slice(0, 16));
  job.deadline = Clock::now() + std::chrono::milliseconds(5);
  Gathered gathered(job);
  // The worker is still held up: only the watch over deadlines can answer.
  EXPECT_EQ(ReasonOf(Submit(&engine, job, &gathered).get()), "LATE");
  plug.Pull();
}

TEST_F(EngineTest, AnEarlierDeadlineThatComesLaterIsKept) {
  Engine engine({1, 1000, 64});
  Plug plug(&engine, index_, queries_.view().Slice(0, 1));
  Job patient = JobOver(index_, queries_.view().Slice(0, 16));
  patient.deadline = Clock::now() + std::chrono::hours(1);
  Gathered of_patient(patient);
  auto patient_end = Submit(&engine, patient, &of_patient);
  Job hasty = patient;
  hasty.deadline = Clock::now() + std::chrono::milliseconds(5);
  Gathered of_hasty(hasty);
  EXPECT_EQ(ReasonOf(Submit(&engine, hasty, &of_hasty).get()), "LATE");
  plug.Pull();
  EXPECT_TRUE(patient_end.get().ok());
}

TEST_F(EngineTest, WhatWaitsIsFinishedBeforeItEnds) {
  const Job job = JobOver(index_, queries_.view().Slice(0, 1000));
  Gathered gathered(job);
  std::future<absl::Status> end;
  {
    Engine engine({1, 65536, 16});
    end = Submit(&engine, job, &gathered);
  }
  ASSERT_EQ(end.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_TRUE(end.get().ok());
}

TEST_F(EngineTest, AFailureOfOneJobIsNotAnothers) {
  Engine engine({1, 1000, 64});
  Job bad = JobOver(index_, queries_.view().Slice(0, 4));
  bad.queries.dimension = 8;  // not the index's
  Gathered of_bad(bad);
  EXPECT_EQ(ReasonOf(Submit(&engine, bad, &of_bad).get()), "DIMENSION_MISMATCH");
  const Job good = JobOver(index_, queries_.view().Slice(0, 4));
  Gathered of_good(good);
  EXPECT_TRUE(Submit(&engine, good, &of_good).get().ok());
}

TEST_F(EngineTest, TheGenerationStaysAliveUntilItsSearchIsThrough) {
  Engine engine({1, 1000, 64});
  Plug plug(&engine, index_, queries_.view().Slice(0, 1));
  Job job = JobOver(SmallIndex(), queries_.view().Slice(0, 4));
  const std::weak_ptr<const retrieval::Index> watched = job.index;
  Gathered gathered(job);
  auto end = Submit(&engine, std::move(job), &gathered);
  EXPECT_FALSE(watched.expired());
  plug.Pull();
  EXPECT_TRUE(end.get().ok());
}

}  // namespace
}  // namespace kith::engine
