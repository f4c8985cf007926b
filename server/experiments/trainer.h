// Trainings: they wait their turn, run on threads of their own at low priority, and outlive whoever asked for them.
// Whatever else may take long and must not disturb the searches waits in the same queue.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/thread_pool.h"
#include "server/experiments/importer.h"
#include "server/experiments/registry.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/storage/store.h"

namespace kith::experiments {

enum class Phase {
  kQueued,     // trainings ahead of this one
  kChecking,   // an index file, read in a process of its own
  kTraining,   // k-means iterations
  kAdding,     // rows
  kMeasuring,  // steps of the recall measurement
  kSaving,     // bytes
};

// Told of a training's progress, from the training's thread. It may go away at any time.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  // `total` is 0 where it is not known.
  virtual void OnProgress(Phase phase, int64_t done, int64_t total) = 0;
  // The last call. The new generation serves, or nothing has changed.
  virtual void OnFinished(const absl::StatusOr<Description>& result) = 0;
};

struct TrainingRequest {
  std::unique_ptr<TrainingLease> lease;
  std::optional<retrieval::Recipe> recipe;  // unset: that of the current generation, else the default
  retrieval::Frames frames;                 // none: the stored ones
  std::optional<IndexFile> index_file;      // set: is imported, and nothing is trained
  std::optional<storage::Request> request;
  std::weak_ptr<TrainingObserver> observer;
};

struct TrainerOptions {
  int threads = 1;     // of one training
  int concurrent = 1;  // trainings at once
  int nice = 10;       // 0 to 19, as nice(1)
  int queue = 16;      // trainings that may wait
  ImportOptions import;
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

  const ImportOptions& import_options() const { return options_.import; }

  // Queues the training or import, or says at once why not: OVERLOADED. From then on it goes on by itself.
  absl::Status Start(TrainingRequest request);

  // Queues work of another kind behind the trainings, on their threads and at their priority, or says at once why not:
  // OVERLOADED. `work` must not throw, and ends early once stopping().
  absl::Status Queue(std::function<void()> work);
  bool stopping() const { return stopping_; }

  // Trainings that run or wait end before their next step with SHUTTING_DOWN, and nothing of them stays. Does not wait.
  void Cancel() { stopping_ = true; }

 private:
  absl::Status CheckRoom(int64_t waiting) const;
  void Run(TrainingRequest request);
  absl::Status Train(const TrainingRequest& request);
  absl::Status Import(const TrainingRequest& request);
  absl::Status Commit(const TrainingRequest& request, const retrieval::Recipe& recipe, retrieval::FrameView frames,
                      std::unique_ptr<retrieval::Index> index);
  absl::StatusOr<retrieval::Frames> StoredFrames(const TrainingRequest& request) const;

  storage::Store* const store_;
  const TrainerOptions options_;
  std::atomic<bool> stopping_{false};
  ThreadPool pool_;
};

}  // namespace kith::experiments
