#include "server/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <numeric>
#include <optional>
#include <vector>

namespace kith {
namespace {

constexpr int kTasks = 200;

TEST(ThreadPoolTest, RunsWhatWaitsBeforeItEnds) {
  std::atomic<int> ran{0};
  std::optional<ThreadPool> pool(2);
  for (int i = 0; i < kTasks; ++i) {
    pool->Run([&] { ++ran; });
    pool->RunInLane(i % 2 == 0 ? "even" : "odd", [&] { ++ran; });
  }
  pool.reset();
  EXPECT_EQ(ran, 2 * kTasks);
}

TEST(ThreadPoolTest, ALaneRunsInTheOrderGivenAndNeverTwoAtOnce) {
  std::vector<int> order;  // not guarded: ThreadSanitizer would tell as well
  std::atomic<int> at_once{0};
  std::optional<ThreadPool> pool(4);
  for (int i = 0; i < kTasks; ++i) {
    pool->RunInLane("lane", [&, i] {
      EXPECT_EQ(++at_once, 1);
      order.push_back(i);
      --at_once;
    });
  }
  pool.reset();
  std::vector<int> expected(kTasks);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(ThreadPoolTest, ALaneThatIsHeldUpLeavesTheOtherThreadsFree) {
  std::promise<void> hold;
  const std::shared_future<void> held = hold.get_future().share();
  std::promise<void> other_lane;
  std::promise<void> no_lane;
  ThreadPool pool(2);
  for (int i = 0; i < kTasks; ++i) pool.RunInLane("held", [held] { held.wait(); });
  pool.RunInLane("other", [&] { other_lane.set_value(); });
  pool.Run([&] { no_lane.set_value(); });
  other_lane.get_future().wait();
  no_lane.get_future().wait();
  hold.set_value();
}

}  // namespace
}  // namespace kith
