#include "server/base/threads.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/support/wait_until.h"

namespace kith {
namespace {

using testing::WaitUntil;

// A thread with a name of its own that works, or sleeps, until it is told to do the other.
class Worker {
 public:
  explicit Worker(bool works) : works_(works), thread_([this] { Run(); }) {
    WaitUntil([&] { return id_ != 0; });
  }
  ~Worker() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
      works_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

  pid_t id() const { return id_; }

 private:
  void Run() {
    pthread_setname_np(pthread_self(), "threads_test_w");
    id_ = gettid();
    while (works_) {
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;  // guarded by mutex_
  std::atomic<bool> works_;
  std::atomic<pid_t> id_{0};
  std::thread thread_;
};

TEST(Threads, AreFoundByTheirName) {
  EXPECT_TRUE(ThreadsNamed("threads_test_w").empty());
  const Worker one(false);
  EXPECT_EQ(ThreadsNamed("threads_test_w"), std::vector<pid_t>{one.id()});
  const Worker other(false);
  EXPECT_EQ(ThreadsNamed("threads_test_w").size(), 2u);
}

TEST(Threads, OneThatWorksIsRunningAndOneThatWaitsHasSlept) {
  const Worker works(true);
  const Worker waits(false);
  WaitUntil([&] { return !RestOf(waits.id()).running; });
  EXPECT_GT(RestOf(waits.id()).sleeps, 0);
  EXPECT_TRUE(RestOf(works.id()).running);
  const auto before = ProcessorTimeOf(works.id());
  WaitUntil([&] { return ProcessorTimeOf(works.id()) > before; });
  EXPECT_FALSE(RestOf(0).running) << "there is none of that id";
  EXPECT_EQ(ProcessorTimeOf(1 << 24), Clock::duration::zero());
}

TEST(Threads, IsAwakeSinceItSlept) {
  const pid_t self = gettid();
  std::thread other([self] { WaitUntil([self] { return !RestOf(self).running; }); });
  other.join();  // this thread is asleep until the other has seen it so
  EXPECT_EQ(TimeAwake(), Clock::duration::zero());
  Clock::duration awake;
  int64_t sleeps = 0;
  do {  // until it did not sleep in between
    sleeps = RestOf(self).sleeps;
    TimeAwake();
    awake = TimeAwake();
  } while (RestOf(self).sleeps != sleeps);
  EXPECT_GT(awake, Clock::duration::zero());
}

}  // namespace
}  // namespace kith
