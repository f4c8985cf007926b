// Threads for work that may block: disk, training. Searches have the engine's workers.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
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

  // The same, but those of one lane run one after another: a lane never has more than one thread, however long its
  // tasks wait for each other or for the disk. "" is no lane.
  void RunInLane(const std::string& lane, std::function<void()> task);

 private:
  void Work();
  // Runs a lane's task, then sees to its next one.
  void RunNext(const std::string& lane, const std::function<void()>& task);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  // The lanes of which a task runs or is in tasks_, each with those that come behind it. Guarded by mutex_.
  std::unordered_map<std::string, std::deque<std::function<void()>>> lanes_;
  bool stopping_ = false;             // guarded by mutex_
  std::vector<std::thread> threads_;  // constant after construction
};

}  // namespace kith
