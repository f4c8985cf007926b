#include "server/engine/engine.h"

#include <algorithm>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/platform.h"

namespace kith::engine {
namespace {

void ReportDone(const std::vector<std::shared_ptr<Task>>& finished) {
  for (const std::shared_ptr<Task>& task : finished) task->job.done(task->status);
}

// The queries of all slices in one matrix; a lone slice stays where it is.
retrieval::FrameView Gather(const std::vector<Slice>& batch, std::vector<float>* scratch) {
  const Slice& front = batch.front();
  if (batch.size() == 1) return front.task->job.queries.Slice(front.first_row, front.rows);
  scratch->clear();
  for (const Slice& slice : batch) {
    const auto values = slice.task->job.queries.Slice(slice.first_row, slice.rows).values();
    scratch->insert(scratch->end(), values.begin(), values.end());
  }
  const int dimension = front.task->job.queries.dimension;
  return {scratch->data(), static_cast<int64_t>(scratch->size()) / dimension, dimension};
}

// Whether it takes no more than half of what Index::RowsAtOnce calls a few milliseconds.
bool IsQuick(const Job& job) { return 2 * job.queries.rows <= job.index->RowsAtOnce(job.params); }

absl::Status SearchBatch(const std::vector<Slice>& batch) {
  thread_local std::vector<float> scratch;
  const Job& job = batch.front().task->job;  // index and parameters are those of all
  const absl::StatusOr<retrieval::Neighbors> neighbors = job.index->Search(Gather(batch, &scratch), job.params);
  if (!neighbors.ok()) return neighbors.status();
  const retrieval::NeighborsView all(*neighbors);
  int64_t row = 0;
  for (const Slice& slice : batch) {
    slice.task->job.consume(slice.first_row, all.Slice(row, slice.rows));
    row += slice.rows;
  }
  return absl::OkStatus();
}

}  // namespace

Engine::Engine(const EngineOptions& options)
    : lets_others_in_(options.lets_others_in),
      on_batch_(options.on_batch),
      queue_(options.queue_rows, options.batch_rows, options.threads) {
  threads_.reserve(options.threads + 1);
  for (int i = 0; i < options.threads; ++i) threads_.emplace_back([this] { Work(); });
  threads_.emplace_back([this] { WatchDeadlines(); });
}

Engine::~Engine() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    while (ClaimSleeper()) work_.Post();
  }
  deadlines_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Engine::Submit(Job job) {
  bool wake_worker = false;
  bool wake_watch = false;
  std::vector<Slice> batch;
  std::vector<std::shared_ptr<Task>> given_up;
  const TimePoint now = Clock::now();
  if (job.times != nullptr) job.times->queued = now;
  const bool may_be_here = job.here && IsQuick(job);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const TimePoint deadline = job.deadline;
    const bool here = may_be_here && queue_.idle();
    if (absl::Status status = queue_.Push(std::move(job), now); !status.ok()) return status;
    if (here) batch = queue_.TakeBatch(now, &given_up);
    wake_worker = !queue_.empty() && ClaimSleeper();
    wake_watch = !queue_.empty() && deadline < watched_until_;
  }
  if (wake_worker) work_.Post();
  if (wake_watch) deadlines_.notify_one();
  ReportDone(given_up);
  if (!batch.empty()) {
    retrieval::SetThreadsOfThisThread(1);
    NoteTaken(batch, Clock::now());
    RunBatch(batch, /*by_worker=*/false);
  }
  return absl::OkStatus();
}

void Engine::SetQueueRows(int64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  queue_.SetQueueRows(rows);
}

int64_t Engine::waiting_rows() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return queue_.waiting_rows();
}

// A task's first rows are in one batch only, so that nobody else writes to its times now.
void Engine::NoteTaken(const std::vector<Slice>& batch, TimePoint now) {
  last_batch_ = now;
  int64_t rows = 0;
  for (const Slice& slice : batch) {
    rows += slice.rows;
    if (slice.first_row == 0 && slice.task->job.times != nullptr) slice.task->job.times->taken = now;
  }
  if (on_batch_) on_batch_(rows);
}

absl::StatusOr<std::shared_ptr<void>> Engine::HoldRows(int64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (absl::Status status = queue_.Hold(rows); !status.ok()) return status;
  return std::shared_ptr<void>(this, [this, rows](void*) {
    const std::lock_guard<std::mutex> guard(mutex_);
    queue_.Release(rows);
  });
}

bool Engine::ClaimSleeper() {
  if (sleeping_ == 0) return false;
  --sleeping_;
  return true;
}

void Engine::Work() {
  retrieval::SetThreadsOfThisThread(1);
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    while (queue_.empty()) {
      if (stopping_) return;
      ++sleeping_;
      lock.unlock();
      work_.Wait();
      lock.lock();
    }
    std::vector<std::shared_ptr<Task>> given_up;
    const TimePoint now = Clock::now();
    const std::vector<Slice> batch = queue_.TakeBatch(now, &given_up);
    const bool wake_worker = !queue_.empty() && ClaimSleeper();
    lock.unlock();
    if (wake_worker) work_.Post();
    ReportDone(given_up);
    if (!batch.empty()) {
      NoteTaken(batch, now);
      RunBatch(batch, /*by_worker=*/true);
      // The kernel would do so after 3 to 4 ms only.
      if (lets_others_in_) std::this_thread::yield();
    }
    lock.lock();
  }
}

void Engine::RunBatch(const std::vector<Slice>& batch, bool by_worker) {
  const TimePoint start = Clock::now();
  absl::Status status;
  try {
    status = SearchBatch(batch);
  } catch (const std::bad_alloc&) {
    status = OutOfMemory();
  } catch (const std::exception& exception) {
    status = Error(Reason::kInternal, absl::StrCat("search: ", exception.what()));
  }
  const TimePoint now = Clock::now();
  std::vector<std::shared_ptr<Task>> finished;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!by_worker) queue_.Measured(batch, now - start);
    for (const Slice& slice : batch) {
      if (queue_.Complete(slice, status)) finished.push_back(slice.task);
    }
  }
  for (const std::shared_ptr<Task>& task : finished) {
    if (task->job.times != nullptr) task->job.times->computed = now;
  }
  ReportDone(finished);
  if (!by_worker) return;  // who submitted a job may end the engine once it is told
  // With the telling, which keeps a worker from the next batch as the search does.
  const Clock::duration taken = Clock::now() - start;
  const std::lock_guard<std::mutex> lock(mutex_);
  queue_.Measured(batch, taken);
}

void Engine::WatchDeadlines() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    watched_until_ = queue_.NextDeadline();
    if (watched_until_ == kNoDeadline) {
      deadlines_.wait(lock);
    } else {
      deadlines_.wait_until(lock, watched_until_);
    }
    std::vector<std::shared_ptr<Task>> given_up;
    queue_.Expire(Clock::now(), &given_up);
    lock.unlock();
    ReportDone(given_up);
    lock.lock();
  }
}

}  // namespace kith::engine
