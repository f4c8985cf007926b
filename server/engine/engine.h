// Runs searches: a bounded queue in front of a fixed number of workers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/engine/batch_queue.h"
#include "server/engine/job.h"
#include "server/engine/semaphore.h"

namespace kith::engine {

struct EngineOptions {
  int threads = 1;              // workers; each searches with one OpenMP thread
  int64_t queue_rows = 65536;   // rows that may wait
  int64_t batch_rows = 64;      // rows searched together
  bool lets_others_in = false;  // a worker, after each batch: for where it shares its core with those that read blocks
  // Told of the rows of each batch by the worker that is about to search them; must be quick.
  std::function<void(int64_t rows)> on_batch = nullptr;
};

// Thread-safe.
class Engine {
 public:
  explicit Engine(const EngineOptions& options);
  // Finishes what waits.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Queues the job, or says at once why not: OVERLOADED, LATE (see BatchQueue::Push). Then job.done is not called.
  // Never blocks for longer than a push takes, and job's functions are called by the engine's own threads, unless
  // job.here allows it to be searched in this call.
  absl::Status Submit(Job job);

  // From now on so many rows may wait; those that do stay.
  void SetQueueRows(int64_t rows);

  int workers() const { return static_cast<int>(threads_.size()) - 1; }

  // Rows that wait for a worker, or are held.
  int64_t waiting_rows() const;

  // When a batch was last begun; long ago where none was.
  TimePoint last_batch() const { return last_batch_; }

  // Counts rows that wait for something else among those that may wait here, until the result is let go, which is
  // before the engine ends. OVERLOADED.
  absl::StatusOr<std::shared_ptr<void>> HoldRows(int64_t rows);

 private:
  void Work();
  void WatchDeadlines();
  // Whether there is one to be woken, which is then for the caller to do. With mutex_ held.
  bool ClaimSleeper();
  void RunBatch(const std::vector<Slice>& batch, bool by_worker);
  void NoteTaken(const std::vector<Slice>& batch, TimePoint now);

  const bool lets_others_in_;
  const std::function<void(int64_t rows)> on_batch_;
  std::atomic<TimePoint> last_batch_{TimePoint()};
  mutable std::mutex mutex_;
  Semaphore work_;                     // posted once for each worker that is to wake
  int sleeping_ = 0;                   // workers that wait for work_ and were not woken; guarded by mutex_
  std::condition_variable deadlines_;  // a deadline before watched_until_ came in, or stopping_
  BatchQueue queue_;                   // guarded by mutex_
  bool stopping_ = false;              // guarded by mutex_
  // When the watch over deadlines wakes by itself; guarded by mutex_. It is left to sleep on when the job that it was
  // set for is done, so that a lone block, which is always the first in the queue, need not wake it.
  TimePoint watched_until_ = kNoDeadline;
  std::vector<std::thread> threads_;  // the workers, and the watch over deadlines; constant after construction
};

}  // namespace kith::engine
