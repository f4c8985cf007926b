// Trainings: they wait their turn, run on threads of their own at low priority, and outlive whoever asked for them.
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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/thread_pool.h"
#include "server/experiments/registry.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/storage/store.h"

namespace kith::experiments {

enum class Phase {
  kQueued,     // trainings ahead of this one
  kTraining,   // k-means iterations
  kAdding,     // rows
  kMeasuring,  // steps of the recall measurement
  kSaving,     // bytes
};

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
  std::optional<retrieval::Recipe> recipe;  // unset: that of the current generation, else the default
  retrieval::Frames frames;                 // none: the stored ones
  std::optional<storage::Request> request;
  std::weak_ptr<TrainingObserver> observer;
};

struct TrainerOptions {
  int threads = 1;     // of one training
  int concurrent = 1;  // trainings at once
  int nice = 10;       // 0 to 19, as nice(1)
  int queue = 16;      // trainings that may wait
  // Told of the end of every training, for the log.
  std::function<void(const std::string& name, const absl::Status& status, double seconds)> on_finished;
};

// Thread-safe.
class Trainer {
 public:
  // `store` has to outlive this.
  Trainer(storage::Store* store, const TrainerOptions& options);
  // Cancels, and waits until the last training has ended.
  ~Trainer();

  // Queues the training, or says at once why not: OVERLOADED, SHUTTING_DOWN. From then on it goes on by itself.
  absl::Status Start(TrainingRequest request);

  // No training that is not saved already is kept: their observers are told SHUTTING_DOWN at once, and they end before
  // their next step, which may be long (some of faiss's cannot be stopped). One that is being saved goes on to its end.
  // Does not wait.
  void Cancel();

  // Waits until no training is left, and says whether that is so: for as long as one is being saved until
  // `saving_deadline`, otherwise until `deadline`.
  bool WaitUntilIdle(TimePoint deadline, TimePoint saving_deadline);

 private:
  // From Start to the end.
  struct Training {
    TrainingRequest request;
    bool saving = false;  // guarded by mutex_
    bool told = false;    // guarded by mutex_: the observer knows the end, or is about to
  };

  void Run(Training* training);
  absl::StatusOr<Description> Result(Training* training);
  absl::Status Train(Training* training);
  absl::StatusOr<retrieval::Frames> StoredFrames(const TrainingRequest& request) const;
  // False where the training was cancelled; otherwise it no longer can be.
  bool StartSaving(Training* training);
  // Tells the observer, unless Cancel has.
  void Tell(Training* training, const absl::StatusOr<Description>& result);

  storage::Store* const store_;
  const TrainerOptions options_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<std::shared_ptr<Training>> trainings_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};              // set under mutex_
  ThreadPool pool_;
};

}  // namespace kith::experiments
