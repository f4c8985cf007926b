// Threads for work that may block: disk, training. Searches have the engine's workers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kith {

// Runs tasks in the order given. Thread-safe.
class ThreadPool {
 public:
  // Each thread calls `on_start` first, where it is given.
  explicit ThreadPool(int threads, std::function<void()> on_start = nullptr);
  // Runs what waits, then ends.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Runs `task`, which must not throw, as soon as a thread is free.
  void Run(std::function<void()> task);

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;         // constant after construction
};

}  // namespace kith
