#include "server/base/thread_pool.h"

#include <utility>

namespace kith {

ThreadPool::ThreadPool(int threads, std::function<void()> on_start, int long_threads)
    : most_long_(long_threads > 0 ? long_threads : threads) {
  threads_.reserve(threads + long_threads);
  for (int i = 0; i < threads + long_threads; ++i) {
    threads_.emplace_back([this, on_start] {
      if (on_start) on_start();
      Work();
    });
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(std::function<void()> task, Pace pace) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    (pace == Pace::kLong ? long_tasks_ : tasks_).push_back(std::move(task));
  }
  wake_.notify_one();
}

void ThreadPool::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !tasks_.empty() || MayRunLong() || (stopping_ && IsIdle()); });
    if (IsIdle()) return;
    // The long ones first: they cannot take more than their share, and many short ones would never let them begin.
    const bool is_long = MayRunLong();
    auto& tasks = is_long ? long_tasks_ : tasks_;
    std::function<void()> task = std::move(tasks.front());
    tasks.pop_front();
    if (is_long) ++long_running_;
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
    if (is_long) --long_running_;
    if (stopping_) wake_.notify_all();  // those that found only long tasks, which were not theirs to run
  }
}

}  // namespace kith
