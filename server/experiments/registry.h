// Which experiments there are, and the changes that may be made to them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/fair_shared_mutex.h"
#include "server/experiments/experiment.h"
#include "server/retrieval/frames.h"
#include "server/storage/records.h"
#include "server/storage/store.h"
#include "server/storage/streams.h"

namespace kith::experiments {

class TrainingLease;

// Thread-safe. Find, Describe and List take a lock for a look-up and a pointer copy; the others may wait for the disk.
class Registry {
 public:
  // Loads every experiment of the store, which has to outlive this. One that cannot be loaded is kept as kFailed; only
  // an unreadable catalogue is an error. At most `max_experiments` will be trained. `proceed` is asked before each is
  // loaded; once it says no, that is CANCELLED.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(
      storage::Store* store, int64_t max_experiments, absl::FunctionRef<bool()> proceed = [] { return true; });

  // What a search needs. EXPERIMENT_NOT_FOUND; NOT_TRAINED during a first training; DATA_LOSS for a failed one.
  absl::StatusOr<std::shared_ptr<const Generation>> Find(const std::string& name) const;

  absl::StatusOr<Description> Describe(const std::string& name) const;

  // The experiments whose names come behind `after`, in the order of the names' bytes, at most `count`.
  std::vector<Description> List(const std::string& after, size_t count) const;

  // Appends frames (of the experiment's dimension, finite): durable, and seen by every search that starts afterwards.
  // One addition at a time for an experiment. EXPERIMENT_NOT_FOUND, DIMENSION_MISMATCH, REQUEST_ID_REUSED; NOT_FINITE
  // for a row with a norm above retrieval::kMaxNorm; FAILED_PRECONDITION TRAINING_IN_PROGRESS.
  absl::StatusOr<storage::AddRecord> Add(const std::string& name, retrieval::FrameView frames,
                                         const std::optional<storage::Request>& request);

  // Gives the bytes of the current index, additions included, to `sink`: what faiss reads. Additions wait meanwhile,
  // searches do not. Returns the generation. Errors as Find, else the sink's own.
  absl::StatusOr<std::shared_ptr<const Generation>> WriteIndex(const std::string& name, storage::ByteSink sink);

  // EXPERIMENT_NOT_FOUND; ABORTED TRAINING_IN_PROGRESS.
  absl::Status Delete(const std::string& name);

  // The right to train an experiment, which may not exist yet. ABORTED TRAINING_IN_PROGRESS where somebody has it;
  // MEMORY_BUDGET where there are too many experiments. The registry has to outlive the lease.
  absl::StatusOr<std::unique_ptr<TrainingLease>> Reserve(const std::string& name);

 private:
  friend class TrainingLease;

  // All but `change` is guarded by mutex_.
  struct Experiment {
    std::string name;
    std::shared_ptr<const Generation> current;
    absl::Status failure;
    bool training = false;
    bool deleted = false;
    absl::Time created;
    absl::Time updated;
    // Held alone by whoever adds or deletes, shared by whoever only needs that nobody does; taken before mutex_.
    FairSharedMutex change;
  };

  Registry(storage::Store* store, int64_t max_experiments) : store_(store), max_experiments_(max_experiments) {}

  void Load(Experiment* experiment);
  // These want mutex_ held.
  static Description Describe(const Experiment& experiment);
  static absl::Status CheckDeletable(const Experiment& experiment);

  // What a search of it needs, or why there is none. The caller has mutex_.
  static absl::StatusOr<std::shared_ptr<const Generation>> CurrentOf(const Experiment& experiment);

  absl::StatusOr<std::shared_ptr<Experiment>> FindExperiment(const std::string& name) const;
  // The generation to add to, or why not. The caller has experiment->change.
  absl::StatusOr<std::shared_ptr<const Generation>> ForAddition(const Experiment& experiment) const;
  void Release(const std::shared_ptr<Experiment>& experiment);

  storage::Store* const store_;
  const int64_t max_experiments_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Experiment>> experiments_;  // guarded by mutex_
};

// The right to train one experiment: while it stands nobody else trains it, adds to it or deletes it. If no generation
// was ever put in place the experiment is gone with it. Used by one thread at a time.
class TrainingLease {
 public:
  ~TrainingLease();
  TrainingLease(const TrainingLease&) = delete;
  TrainingLease& operator=(const TrainingLease&) = delete;

  const std::string& name() const { return experiment_->name; }

  // The generation that serves, or null.
  std::shared_ptr<const Generation> current() const;

  // Waits until an addition that was under way is through. Those that come later see the lease and are refused.
  void WaitForAddition() const { const std::shared_lock<FairSharedMutex> through(experiment_->change); }

  // Makes a stored generation the one that serves, in one step.
  void Replace(const storage::ExperimentRecord& record, std::unique_ptr<retrieval::Index> index);

  Description Describe() const;

 private:
  friend class Registry;
  TrainingLease(Registry* registry, std::shared_ptr<Registry::Experiment> experiment)
      : registry_(registry), experiment_(std::move(experiment)) {}

  Registry* const registry_;
  const std::shared_ptr<Registry::Experiment> experiment_;
};

}  // namespace kith::experiments
