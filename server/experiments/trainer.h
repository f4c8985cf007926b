// Trainings: they wait their turn, run on threads of their own at low priority, and outlive whoever asked for them.
// Whatever else may take long and must not disturb the searches waits in the same queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/thread_pool.h"
#include "server/experiments/importer.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/experiments/training_lease.h"
#include "server/experiments/training_progress.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/storage/store.h"

namespace kith::experiments {

// Told of a training's progress, from the training's thread, or of its end by Cancel. It may go away at any time.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  // `total` is 0 where it is not known.
  virtual void OnProgress(Phase phase, int64_t done, int64_t total) = 0;
  // The end, told once: the new generation serves, or nothing has changed. After a Cancel, progress may still come.
  virtual void OnFinished(const absl::StatusOr<Description>& result) = 0;
};

struct TrainingRequest {
  std::unique_ptr<TrainingLease> lease;
  // Unset: with frames the default; else the current generation's, without its compression and expansion, whose outcome
  // the stored frames are.
  std::optional<retrieval::Recipe> recipe;
  retrieval::Frames frames;             // none: the stored ones
  MemoryBudget::Reservation memory;     // of `frames`
  std::optional<IndexFile> index_file;  // set: is imported, and nothing is trained
  std::optional<storage::Request> request;
  std::weak_ptr<TrainingObserver> observer;
};

// What a training on so many frames takes in memory besides the frames, about: the index, a copy of the frames to
// search in unless the index has them (retrieval::KeepsFramesOnce), and some of both for lists, links and buffers; for
// cosine, the frames at norm 1 as well. bench/training_memory_bench.cc measures it (docs/performance.md).
int64_t TrainingBytes(const retrieval::Recipe& recipe, int64_t rows, int dimension);

// The same of whichever recipe takes most.
int64_t MostTrainingBytes(retrieval::Metric metric, int64_t rows, int dimension);

struct TrainingEnd {
  std::string name;
  bool is_import = false;
  absl::Status status;
  double seconds = 0;
};

struct TrainerOptions {
  int threads = 1;  // of one training
  // So many instead for its next step, which it is asked before: a number from 1 to `threads`. Unset: always `threads`.
  std::function<int()> threads_now;
  int concurrent = 1;  // trainings at once
  int nice = 19;       // 0 to 19, as nice(1)
  int queue = 16;      // trainings that may wait
  // The recipe auto, where it says nothing of compression itself, compresses more rows than these to so many centres.
  // 0 rows: never.
  int64_t compress_above_rows = 200000;
  int64_t compress_centres = retrieval::kRvcCentres;
  ImportOptions import;
  // Told of the end of every training and import, for the log.
  std::function<void(const TrainingEnd& end)> on_finished;
};

// Thread-safe.
class Trainer {
 public:
  // `store` and `budget` have to outlive this.
  Trainer(storage::Store* store, MemoryBudget* budget, const TrainerOptions& options);
  // Cancels, and waits until the last training has ended.
  ~Trainer();

  const ImportOptions& import_options() const { return options_.import; }
  MemoryBudget* budget() const { return budget_; }

  // Finds what would make a training on `rows` frames sent fail: BAD_PARAMETER, see PreparedRows and PlanBuild;
  // MEMORY_BUDGET where the whole budget is not enough.
  absl::Status Check(const std::optional<retrieval::Recipe>& recipe, int64_t rows, int dimension) const;

  // Queues the training or import, or says at once why not: OVERLOADED, SHUTTING_DOWN. From then on it goes on by
  // itself.
  absl::Status Start(TrainingRequest request);

  // Queues work of another kind behind the trainings, on their threads and at their priority, or says at once why not:
  // OVERLOADED, SHUTTING_DOWN. `work` must not throw, and ends early once stopping().
  class Place;
  absl::StatusOr<std::unique_ptr<Place>> Queue(std::function<void()> work);
  bool stopping() const { return stopping_; }

  // The trainings and imports that run or wait, and what else is queued, without a name. In no order.
  std::vector<TrainingProgress> Progress() const;

  // No training that is not saved already is kept: their observers are told SHUTTING_DOWN at once, and they end before
  // their next step, which may be long (some of faiss's cannot be stopped). One that is being saved goes on to its end.
  // Does not wait.
  void Cancel();

  // Waits until nothing is left to do, and says whether that is so: for as long as a training is being saved until
  // `saving_deadline`, otherwise until `deadline`.
  bool WaitUntilIdle(TimePoint deadline, TimePoint saving_deadline);

 private:
  // Something in the queue or under way.
  struct Job {
    std::function<void()> on_cancel = [] {};
    std::function<void()> work;  // guarded by mutex_: until it begins
    bool begun = false;          // guarded by mutex_
    bool saving = false;         // guarded by mutex_
    TimePoint begin;             // guarded by mutex_: when `begun` was set
    TrainingProgress progress;   // guarded by mutex_
  };
  struct Training;

  // Puts the job into the queue, where there is room and nothing else comes in between: how many are ahead of it.
  absl::StatusOr<int64_t> TakePlace(const std::shared_ptr<Job>& job);
  // Runs the work of a job that has its place.
  void RunInTurn(const std::shared_ptr<Job>& job, std::function<void()> work);
  void GiveBack(const std::shared_ptr<Job>& job);
  void Report(Training* training, Phase phase, int64_t done, int64_t total);
  // Before each step: false where there is to be none.
  bool Step(Training* training, Phase phase, int64_t done, int64_t total);
  void Run(Training* training);
  absl::StatusOr<Description> Result(Training* training);
  absl::Status Train(Training* training);
  absl::Status Import(Training* training);
  absl::Status Commit(Training* training, const retrieval::Recipe& recipe, retrieval::FrameView frames,
                      std::unique_ptr<retrieval::Index> index, MemoryBudget::Reservation memory);
  retrieval::Recipe RecipeFor(const std::optional<retrieval::Recipe>& asked, int64_t rows) const;
  // Fills in the frames and the recipe where they are to be those of the current generation.
  absl::Status TakeStored(TrainingRequest* request) const;
  // False where the job was cancelled; otherwise it no longer can be.
  bool StartSaving(Job* job);

  storage::Store* const store_;
  MemoryBudget* const budget_;
  const TrainerOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable ended_;        // a job has
  std::set<std::shared_ptr<Job>> jobs_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};    // set under mutex_
  ThreadPool pool_;
};

// The place of some work in the queue. With this object it is given back, and the work dropped, unless its turn has
// come. The trainer has to outlive it.
class Trainer::Place {
 public:
  Place(Trainer* trainer, std::shared_ptr<Job> job) : trainer_(trainer), job_(std::move(job)) {}
  ~Place() { trainer_->GiveBack(job_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Trainer* const trainer_;
  const std::shared_ptr<Job> job_;
};

}  // namespace kith::experiments
