// Which experiments there are, which of them are in memory, and the changes that may be made to them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/strand.h"
#include "server/base/thread_pool.h"
#include "server/experiments/experiment.h"
#include "server/experiments/loader.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/reaper.h"
#include "server/experiments/traffic.h"
#include "server/retrieval/frames.h"
#include "server/storage/records.h"
#include "server/storage/store.h"
#include "server/storage/streams.h"

namespace kith::experiments {

class TrainingLease;

struct RegistryOptions {
  int64_t max_experiments = 1024;    // so many will be trained
  std::vector<std::string> preload;  // loaded at the start, and pinned
  int threads = 4;                   // for additions and whatever else is short
  int load_threads = 4;              // for what reads a whole generation: so many at once
  // Told of what an operator would want to know, for the log.
  std::function<void(const std::string& name, const absl::Status& status, double seconds)> on_loaded;
  std::function<void(const std::string& name, int64_t serving, const absl::Status& failure)> on_degraded;
  std::function<void(const std::string& name)> on_let_go;
  // Told of each attempt to load, also of those that follow each other too fast to be logged. OK and degraded: an
  // earlier generation was loaded.
  std::function<void(const absl::Status& status, bool degraded)> on_load;
};

// How many experiments there are of each state, how many of them all are in memory, and how much they hold.
struct Counts {
  int64_t training = 0;
  int64_t ready = 0;
  int64_t degraded = 0;
  int64_t failed = 0;
  int64_t resident = 0;
  int64_t resident_bytes = 0;  // of memory, that those take
  int64_t rows = 0;            // stored in the current generations

  int64_t all() const { return training + ready + degraded + failed; }
};

// Thread-safe. FindResident, Describe and List take a lock for a look-up and a pointer copy. What may wait for the disk
// is done on threads of the registry's own, in order and one at a time for each experiment, so that a slow experiment
// holds up no other, and loads no addition to another; its end is told to the function that the caller gives, from such
// a thread or at once.
class Registry {
 public:
  using Resident = absl::StatusOr<std::shared_ptr<const Generation>>;
  using OnResident = std::function<void(Resident)>;
  using OnAdded = std::function<void(const absl::StatusOr<storage::AddRecord>&)>;
  using OnChanged = std::function<void(const absl::StatusOr<Description>&)>;

  // Knows every experiment of the store; loads those to be preloaded and those that are pinned, in the background. Only
  // an unreadable catalogue is an error. `store` and `budget` have to outlive this and all generations.
  static absl::StatusOr<std::unique_ptr<Registry>> Open(storage::Store* store, MemoryBudget* budget,
                                                        RegistryOptions options);
  ~Registry();

  // What a search needs; null where it is not in memory: Acquire it. EXPERIMENT_NOT_FOUND; NOT_TRAINED during a first
  // training; DATA_LOSS for a failed one.
  Resident FindResident(const std::string& name) const;

  // The same, loaded first where it is not in memory: once, however many ask. Errors besides: MEMORY_BUDGET, STORAGE.
  void Acquire(const std::string& name, OnResident done);
  // Waits for it. Not for threads that others wait for.
  Resident AcquireNow(const std::string& name);

  absl::StatusOr<Description> Describe(const std::string& name) const;

  // The experiments whose names come behind `after`, in the order of the names' bytes, at most `count`.
  std::vector<Description> List(const std::string& after, size_t count) const;

  // Not of one moment where there are very many: nobody waits for long for this.
  Counts Count() const;

  // What was done with each experiment that anything was done with since the start. As Count.
  std::vector<TrafficReading> ReadTraffic() const;

  // Where what is done with an experiment is counted; null where there is none.
  std::shared_ptr<Traffic> TrafficOf(const std::string& name) const;

  // Appends frames (of the experiment's dimension, finite), which have to stay until `done`: durable, and seen by every
  // search that starts afterwards. Those of one experiment that wait are stored together. A generation that was neither
  // read nor written since the start is read once before anything is added to it, so that nothing is added to a damaged
  // one. EXPERIMENT_NOT_FOUND, DIMENSION_MISMATCH, REQUEST_ID_REUSED, MEMORY_BUDGET; NOT_FINITE for a row with a norm
  // above retrieval::kMaxNorm; FAILED_PRECONDITION TRAINING_IN_PROGRESS; DATA_LOSS where the current generation cannot
  // be read.
  void Add(const std::string& name, retrieval::FrameView frames, const std::optional<storage::Request>& request,
           OnAdded done);

  // What Add would refuse whatever the frames.
  absl::Status CheckAddition(const std::string& name) const;

  // Loads it if it is not in memory; tries again where an earlier attempt failed. Errors as Acquire.
  void Load(const std::string& name, OnChanged done);

  // For the end: from here on what is not in memory is refused with SHUTTING_DOWN, those that wait for it included.
  void StopLoading();

  // Lets go of its memory, at once if nobody uses it; the next use loads it again. EXPERIMENT_NOT_FOUND;
  // FAILED_PRECONDITION BAD_PARAMETER where it is pinned.
  absl::StatusOr<Description> Unload(const std::string& name);

  // A pinned experiment is not let go of to make room for others; pinning loads it. EXPERIMENT_NOT_FOUND, STORAGE;
  // FAILED_PRECONDITION BAD_PARAMETER for unpinning one that the configuration preloads.
  void SetPinned(const std::string& name, bool pinned, OnChanged done);

  // Makes an earlier generation the current one (unset: the one before). EXPERIMENT_NOT_FOUND; ABORTED
  // TRAINING_IN_PROGRESS; BAD_PARAMETER names those there are; MEMORY_BUDGET.
  void Rollback(const std::string& name, std::optional<int64_t> to, OnChanged done);

  // EXPERIMENT_NOT_FOUND; ABORTED TRAINING_IN_PROGRESS.
  void Delete(const std::string& name, std::function<void(const absl::Status&)> done);

  // From now on so many experiments may be; those that there are stay.
  void SetMaxExperiments(int64_t max_experiments);

  // The right to train an experiment, which may not exist yet. ABORTED TRAINING_IN_PROGRESS where somebody has it;
  // MEMORY_BUDGET where there are too many experiments. The registry has to outlive the lease.
  absl::StatusOr<std::unique_ptr<TrainingLease>> Reserve(const std::string& name);

  // Takes note of a new snapshot of a generation.
  void NoteFolded(const storage::ExperimentRecord& record);

  // Told, from the registry's threads, when additions to an experiment were stored: which then are in no snapshot.
  // It must not call the registry.
  void SetOnGrown(std::function<void(const storage::ExperimentRecord&)> on_grown);

  MemoryBudget* budget() const { return budget_; }

 private:
  friend class TrainingLease;

  struct PendingAddition {
    retrieval::FrameView frames;
    std::optional<storage::Request> request;
    OnAdded done;
  };
  struct AdditionResult;

  // All but `name`, `traffic` and `work` is guarded by mutex_.
  struct Experiment {
    Experiment(std::string name, ThreadPool* pool) : name(std::move(name)), work(pool) {}

    const std::string name;
    const std::shared_ptr<Traffic> traffic = std::make_shared<Traffic>();
    storage::ExperimentRecord record;  // generation.number 0: there is none, this is a first training
    std::shared_ptr<Generation> resident;
    int64_t changes = 0;      // of `record`, apart from additions: tells a load that it has read something else
    absl::Status failure;     // why the current generation cannot be read
    bool unreadable = false;  // nor any other: it is not tried again unless by Load
    bool sound = false;       // the current generation was read or written since the start
    bool preloaded = false;
    bool training = false;
    bool deleted = false;
    absl::Time failure_told = absl::InfinitePast();  // when on_loaded was told last that it could not be loaded
    mutable absl::Time last_used = absl::InfinitePast();
    std::vector<OnResident> waiting;         // for the load that is under way
    std::vector<PendingAddition> additions;  // not yet stored
    Strand work;                             // whatever waits for the disk or changes what is stored
  };
  using Pointer = std::shared_ptr<Experiment>;

  Registry(storage::Store* store, MemoryBudget* budget, RegistryOptions options);

  // These want mutex_ held.
  static bool IsPinned(const Experiment& experiment) { return experiment.preloaded || experiment.record.pinned; }
  static State StateOf(const Experiment& experiment);
  static Description Describe(const Experiment& experiment);
  static absl::Status CheckChangeable(const Experiment& experiment);
  static absl::Status CheckAddable(const Experiment& experiment);
  static Resident ResidentOf(const Experiment& experiment);
  static void Put(Experiment* experiment, const storage::ExperimentRecord& record);

  absl::StatusOr<Pointer> FindExperiment(const std::string& name) const;
  void AcquireWith(const Pointer& experiment, OnResident done);
  void LoadNow(const Pointer& experiment);
  absl::StatusOr<LoadedGeneration> ReadNewest(const storage::ExperimentRecord& record, absl::Status* failure);
  void TellLoaded(Experiment* experiment, const absl::Status& status, double seconds);
  Resident Publish(Experiment* experiment, int64_t changes, absl::StatusOr<LoadedGeneration> loaded,
                   const absl::Status& failure);  // with mutex_
  static bool IsUnknown(const Experiment& experiment) { return !experiment.sound && experiment.resident == nullptr; }
  void StoreAdditions(const Pointer& experiment);  // with mutex_
  void LookBeforeAdding(const Pointer& experiment);
  void AddPending(const Pointer& experiment);
  absl::Status ReserveFor(retrieval::FrameView frames, Generation* resident, storage::ExperimentRecord* record) const;
  bool Store(const storage::ExperimentRecord& record, std::vector<AdditionResult>* batch);
  static bool Append(const std::vector<AdditionResult>& batch, Generation* resident);
  void NoteAdded(Experiment* experiment, const std::vector<AdditionResult>& batch);
  absl::StatusOr<Description> RollBackNow(const Pointer& experiment, std::optional<int64_t> to);
  absl::Status DeleteNow(const Pointer& experiment);
  std::shared_ptr<Generation> Own(const Experiment& experiment, std::unique_ptr<Generation> generation) const;
  template <typename Visit>
  void VisitAll(const Visit& visit) const;
  bool MakeRoom(int64_t bytes);
  void Release(const Pointer& experiment);

  storage::Store* const store_;
  MemoryBudget* const budget_;
  const RegistryOptions options_;  // but for max_experiments
  const std::shared_ptr<Reaper> reaper_ = std::make_shared<Reaper>();
  std::function<void(const storage::ExperimentRecord&)> on_grown_;  // guarded by mutex_
  mutable std::mutex mutex_;
  int64_t max_experiments_;                     // guarded by mutex_
  std::map<std::string, Pointer> experiments_;  // guarded by mutex_
  bool stopping_ = false;                       // guarded by mutex_: what waits is not loaded any more
  std::unique_ptr<ThreadPool> pool_;            // its tasks use all of the above
};

}  // namespace kith::experiments
