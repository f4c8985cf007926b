#include "server/base/strand.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

namespace kith {
namespace {

// Runs one more task on a strand or a pool and waits for it: what was given to a strand before has run then.
template <typename Runner>
void Drain(Runner& runner) {
  const auto done = std::make_shared<std::promise<void>>();  // the task's too, which may outlast the wait
  runner.Run([done] { done->set_value(); });
  done->get_future().wait();
}

TEST(StrandTest, RunsInTheOrderGiven) {
  ThreadPool pool(4);
  Strand strand(&pool);
  std::vector<int> seen;  // by one task after the other, and so without a lock
  for (int i = 0; i < 1000; ++i) strand.Run([&seen, i] { seen.push_back(i); });
  Drain(strand);
  std::vector<int> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(seen, expected);
}

TEST(StrandTest, OneAtATimeHoweverManyGive) {
  ThreadPool pool(4);
  Strand strand(&pool);
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  int count = 0;  // not atomic: a data race would lose some
  std::vector<std::thread> givers;
  for (int giver = 0; giver < 4; ++giver) {
    givers.emplace_back([&] {
      for (int i = 0; i < 250; ++i) {
        strand.Run([&] {
          most = std::max(most.load(), ++at_once);
          std::this_thread::yield();
          ++count;
          --at_once;
        });
      }
    });
  }
  for (std::thread& giver : givers) giver.join();
  Drain(strand);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(count, 1000);
}

TEST(StrandTest, ASlowOneHoldsOneThreadAndLeavesTheOthersToOthers) {
  ThreadPool pool(2);
  Strand slow(&pool);
  Strand quick(&pool);
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  for (int i = 0; i < 10; ++i) slow.Run([released] { released.wait(); });
  Drain(quick);  // with two of the slow ones at once it would wait for ever
  Drain(pool);
  release.set_value();
  Drain(slow);
}

TEST(StrandTest, LongOnesLeaveThreadsToShortOnes) {
  ThreadPool pool(1, nullptr, 2);
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  std::vector<std::unique_ptr<Strand>> strands;
  for (int i = 0; i < 6; ++i) {
    strands.push_back(std::make_unique<Strand>(&pool));
    const auto wait = [&, released] {
      most = std::max(most.load(), ++at_once);
      released.wait();
      --at_once;
    };
    strands.back()->Run(wait, Pace::kLong);
  }
  std::vector<int> seen;
  Strand other(&pool);
  for (int i = 0; i < 10; ++i) other.Run([&seen, i] { seen.push_back(i); });
  Drain(other);  // with the long ones on all three threads it would wait for ever
  EXPECT_EQ(seen.size(), 10u);
  release.set_value();
  for (const auto& strand : strands) Drain(*strand);
  EXPECT_LE(most, 2);
}

TEST(StrandTest, RunsInTheOrderGivenWhateverThePace) {
  ThreadPool pool(2, nullptr, 2);
  Strand strand(&pool);
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) strand.Run([&seen, i] { seen.push_back(i); }, i % 3 == 0 ? Pace::kLong : Pace::kShort);
  Drain(strand);
  std::vector<int> expected(1000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(seen, expected);
}

TEST(StrandTest, LongOnesThatWaitAtTheEndRun) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(3, nullptr, 1);
    for (int i = 0; i < 5; ++i) pool.Run([&ran] { ++ran; }, Pace::kLong);
  }
  EXPECT_EQ(ran, 5);
}

TEST(StrandTest, TheOthersHaveTheirTurnBetweenItsTasks) {
  ThreadPool pool(1);
  Strand busy(&pool);
  Strand other(&pool);
  std::promise<void> release;
  pool.Run([released = release.get_future().share()] { released.wait(); });
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) busy.Run([&seen] { seen.push_back(0); });
  other.Run([&seen] { seen.push_back(1); });
  release.set_value();
  Drain(busy);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 0, 0}));
}

TEST(StrandTest, ATaskMayGiveAnother) {
  ThreadPool pool(2);
  Strand strand(&pool);
  std::vector<int> seen;
  const auto done = std::make_shared<std::promise<void>>();
  strand.Run([&strand, &seen, done] {
    strand.Run([&seen, done] {
      seen.push_back(2);
      done->set_value();
    });
    seen.push_back(1);
  });
  done->get_future().wait();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(StrandTest, ItsTasksRunAfterItIsGone) {
  int ran = 0;
  {
    ThreadPool pool(1);
    std::promise<void> release;
    pool.Run([released = release.get_future().share()] { released.wait(); });
    {
      Strand strand(&pool);
      for (int i = 0; i < 5; ++i) strand.Run([&ran] { ++ran; });
    }
    release.set_value();
  }  // the pool runs what waits
  EXPECT_EQ(ran, 5);
}

TEST(StrandTest, WhatATaskHoldsIsLetGoOfBeforeTheNextRuns) {
  ThreadPool pool(2);
  Strand strand(&pool);
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = held;
  strand.Run([held] {});
  held = nullptr;
  bool gone = false;
  strand.Run([&] { gone = watch.expired(); });
  Drain(strand);
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace kith
