// Threads for work that may block: disk, training. Searches have the engine's workers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kith {

// How long a task may keep its thread: long ones are bounded, so that they never take all of them.
enum class Pace { kShort, kLong };

// Runs tasks of one pace in the order given. Thread-safe.
class ThreadPool {
 public:
  // Each thread calls `on_start` first, where it is given. With `long_threads` there are so many threads more, and so
  // many tasks of Pace::kLong run at once; without it they are like the others.
  explicit ThreadPool(int threads, std::function<void()> on_start = nullptr, int long_threads = 0);
  // Runs what waits, then ends.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Runs `task`, which must not throw, as soon as a thread is free.
  void Run(std::function<void()> task, Pace pace = Pace::kShort);

 private:
  void Work();
  // These want mutex_ held.
  bool MayRunLong() const { return !long_tasks_.empty() && long_running_ < most_long_; }
  bool IsIdle() const { return tasks_.empty() && long_tasks_.empty(); }

  const int most_long_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;       // guarded by mutex_
  std::deque<std::function<void()>> long_tasks_;  // guarded by mutex_
  int long_running_ = 0;                          // guarded by mutex_
  bool stopping_ = false;                         // guarded by mutex_
  std::vector<std::thread> threads_;              // constant after construction
};

}  // namespace kith
