// Tasks in order on shared threads.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "server/base/thread_pool.h"

namespace kith {

// Runs tasks one at a time in the order given, on the threads of a pool, of which it holds at most one. Thread-safe.
// The strand may go away while tasks of it wait; they run all the same.
class Strand {
 public:
  // `pool` has to outlive the tasks.
  explicit Strand(ThreadPool* pool) : state_(std::make_shared<State>(pool)) {}

  // Runs `task`, which must not throw, behind those before it, whatever their pace.
  void Run(std::function<void()> task, Pace pace = Pace::kShort);

 private:
  struct State {
    explicit State(ThreadPool* pool) : pool(pool) {}

    ThreadPool* const pool;
    std::mutex mutex;
    std::deque<std::pair<std::function<void()>, Pace>> tasks;  // guarded by mutex
    bool running = false;                                      // guarded by mutex: a thread is at it, or will be
  };

  // Runs the first task, then lets the pool's other tasks have their turn before the next.
  static void Step(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;
};

}  // namespace kith
