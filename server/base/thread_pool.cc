#include "server/base/thread_pool.h"

#include <utility>

namespace kith {

ThreadPool::ThreadPool(int threads, std::function<void()> on_start) {
  threads_.reserve(threads);
  for (int i = 0; i < threads; ++i) {
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

void ThreadPool::Run(std::function<void()> task) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void ThreadPool::RunInLane(const std::string& lane, std::function<void()> task) {
  if (lane.empty()) return Run(std::move(task));
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [found, is_new] = lanes_.try_emplace(lane);
    if (!is_new) return found->second.push_back(std::move(task));
  }
  Run([this, lane, task = std::move(task)] { RunNext(lane, task); });
}

void ThreadPool::RunNext(const std::string& lane, const std::function<void()>& task) {
  task();
  std::function<void()> next;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = lanes_.find(lane);
    if (found->second.empty()) {
      lanes_.erase(found);
      return;
    }
    next = std::move(found->second.front());
    found->second.pop_front();
  }
  // Behind what waits already: a lane that is always full must not keep its thread.
  Run([this, lane, next = std::move(next)] { RunNext(lane, next); });
}

void ThreadPool::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace kith
