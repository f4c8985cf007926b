#include "server/experiments/registry.h"

#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/serialize.h"

namespace kith::experiments {
namespace {

absl::Status NotFound(const std::string& name) {
  return Error(Reason::kExperimentNotFound,
               absl::StrCat("there is no experiment '", name, "'; train it first, or list those there are"));
}

absl::Status TrainingInProgress(absl::StatusCode code, const std::string& name) {
  return Error(code, Reason::kTrainingInProgress,
               absl::StrCat("'", name, "' is being trained; try again when that is done"));
}

// Reads an experiment whole: the snapshot's index, then its additions put in as they were then.
absl::StatusOr<std::shared_ptr<const Generation>> LoadGeneration(storage::Store* store, const std::string& name) {
  std::unique_ptr<retrieval::Index> index;
  const auto read_index = [&](const storage::GenerationInfo& info, retrieval::FrameView frames,
                              storage::ByteSource source) {
    retrieval::FrameStore stored(frames.dimension);
    stored.Append(frames);
    auto read = retrieval::ReadIndex(source, std::move(stored), info.recipe.metric, info.report);
    if (read.ok()) index = *std::move(read);
    return read.status();
  };
  const absl::StatusOr<storage::LoadedExperiment> loaded = store->Load(name, std::nullopt, read_index);
  if (!loaded.ok()) return loaded.status();
  const storage::GenerationInfo& info = loaded->experiment.generation;
  const retrieval::FrameView all = loaded->frames.view();
  if (absl::Status status = index->Add(all.Slice(info.rows, all.rows - info.rows)); !status.ok()) return status;
  return std::make_shared<const Generation>(Generation{info.number, info.recipe, std::move(index)});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(storage::Store* store, int64_t max_experiments,
                                                         absl::FunctionRef<bool()> proceed) {
  const auto records = store->List();
  if (!records.ok()) return records.status();
  std::unique_ptr<Registry> registry(new Registry(store, max_experiments));
  for (const storage::ExperimentRecord& record : *records) {
    if (!proceed()) return Error(Reason::kCancelled, "loading was stopped");
    auto experiment = std::make_shared<Experiment>();
    experiment->name = record.name;
    experiment->created = record.created;
    experiment->updated = record.updated;
    experiment->failure = record.status;
    if (record.status.ok()) registry->Load(experiment.get());
    registry->experiments_.emplace(record.name, std::move(experiment));
  }
  return registry;
}

void Registry::Load(Experiment* experiment) {
  auto generation = LoadGeneration(store_, experiment->name);
  const std::lock_guard<std::mutex> lock(mutex_);
  experiment->failure = generation.status();
  experiment->current = generation.ok() ? *std::move(generation) : nullptr;
}

absl::StatusOr<std::shared_ptr<Registry::Experiment>> Registry::FindExperiment(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  if (found == experiments_.end()) return NotFound(name);
  return found->second;
}

absl::StatusOr<std::shared_ptr<const Generation>> Registry::CurrentOf(const Experiment& experiment) {
  if (experiment.deleted) return NotFound(experiment.name);
  if (experiment.current != nullptr) return experiment.current;
  if (!experiment.failure.ok()) return experiment.failure;
  return Error(Reason::kNotTrained,
               absl::StrCat("'", experiment.name, "' is being trained for the first time; wait until it is done"));
}

absl::StatusOr<std::shared_ptr<const Generation>> Registry::Find(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  if (found == experiments_.end()) return NotFound(name);
  return CurrentOf(*found->second);
}

Description Registry::Describe(const Experiment& experiment) {
  Description description;
  description.name = experiment.name;
  description.failure = experiment.failure;
  description.state = experiment.current != nullptr ? State::kReady
                      : experiment.failure.ok()     ? State::kTraining
                                                    : State::kFailed;
  description.training = experiment.training;
  description.generation = experiment.current;
  description.created = experiment.created;
  description.updated = experiment.updated;
  return description;
}

absl::StatusOr<Description> Registry::Describe(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  if (found == experiments_.end()) return NotFound(name);
  return Describe(*found->second);
}

std::vector<Description> Registry::List(const std::string& after, size_t count) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Description> page;
  for (auto next = experiments_.upper_bound(after); next != experiments_.end() && page.size() < count; ++next) {
    page.push_back(Describe(*next->second));
  }
  return page;
}

absl::StatusOr<std::shared_ptr<const Generation>> Registry::ForAddition(const Experiment& experiment) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (experiment.deleted) return NotFound(experiment.name);
  if (experiment.training) return TrainingInProgress(absl::StatusCode::kFailedPrecondition, experiment.name);
  if (experiment.current == nullptr) return experiment.failure;
  return experiment.current;
}

absl::StatusOr<storage::AddRecord> Registry::Add(const std::string& name, retrieval::FrameView frames,
                                                 const std::optional<storage::Request>& request) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return experiment.status();
  if (const auto early = ForAddition(**experiment); !early.ok()) return early.status();  // not behind a training's end
  // Before anything is stored: the index would refuse them, and could not be loaded with them any more.
  if (absl::Status status = retrieval::CheckNorms(frames); !status.ok()) return status;
  const std::lock_guard<FairSharedMutex> change((*experiment)->change);
  const auto generation = ForAddition(**experiment);
  if (!generation.ok()) return generation.status();
  absl::StatusOr<storage::AddRecord> record =
      store_->Append({storage::Addition{name, (*generation)->number, frames, request}}).front();
  if (!record.ok() || record->repeated) return record;
  if (!(*generation)->index->Add(frames).ok()) {
    Load(experiment->get());  // the frames are stored; what is in memory may have only some of them
    if (const auto reloaded = Find(name); !reloaded.ok()) return reloaded.status();
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  (*experiment)->updated = absl::Now();
  return record;
}

absl::StatusOr<std::shared_ptr<const Generation>> Registry::WriteIndex(const std::string& name,
                                                                       storage::ByteSink sink) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return experiment.status();
  const std::shared_lock<FairSharedMutex> unchanged((*experiment)->change);
  std::unique_lock<std::mutex> lock(mutex_);
  auto generation = CurrentOf(**experiment);
  lock.unlock();
  if (!generation.ok()) return generation;
  if (absl::Status status = retrieval::WriteIndex(*(*generation)->index, sink); !status.ok()) return status;
  return generation;
}

absl::Status Registry::CheckDeletable(const Experiment& experiment) {
  if (experiment.deleted) return NotFound(experiment.name);
  if (experiment.training) return TrainingInProgress(absl::StatusCode::kAborted, experiment.name);
  return absl::OkStatus();
}

absl::Status Registry::Delete(const std::string& name) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return experiment.status();
  {
    const std::lock_guard<std::mutex> lock(mutex_);  // so as not to wait for the end of a training
    if (absl::Status status = CheckDeletable(**experiment); !status.ok()) return status;
  }
  const std::lock_guard<FairSharedMutex> change((*experiment)->change);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (absl::Status status = CheckDeletable(**experiment); !status.ok()) return status;
    (*experiment)->deleted = true;
  }
  const absl::Status status = store_->Delete(name);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (status.ok()) {
    experiments_.erase(name);
  } else {
    (*experiment)->deleted = false;
  }
  return status;
}

absl::StatusOr<std::unique_ptr<TrainingLease>> Registry::Reserve(const std::string& name) {
  if (absl::Status status = CheckExperimentName(name); !status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  auto found = experiments_.find(name);
  if (found == experiments_.end()) {
    if (static_cast<int64_t>(experiments_.size()) >= max_experiments_) {
      return Error(Reason::kMemoryBudget,
                   absl::StrCat("there are ", experiments_.size(), " experiments and at most ", max_experiments_,
                                " may be; delete one, or raise limits.experiments"));
    }
    auto experiment = std::make_shared<Experiment>();
    experiment->name = name;
    found = experiments_.emplace(name, std::move(experiment)).first;
  }
  if (found->second->training) return TrainingInProgress(absl::StatusCode::kAborted, name);
  if (found->second->deleted) {
    return Error(absl::StatusCode::kAborted, Reason::kTrainingInProgress,
                 absl::StrCat("'", name, "' is being deleted; try again in a moment"));
  }
  found->second->training = true;
  return std::unique_ptr<TrainingLease>(new TrainingLease(this, found->second));
}

void Registry::Release(const std::shared_ptr<Experiment>& experiment) {
  const std::lock_guard<std::mutex> lock(mutex_);
  experiment->training = false;
  if (experiment->current == nullptr && experiment->failure.ok()) {
    experiment->deleted = true;
    experiments_.erase(experiment->name);
  }
}

TrainingLease::~TrainingLease() { registry_->Release(experiment_); }

std::shared_ptr<const Generation> TrainingLease::current() const {
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  return experiment_->current;
}

void TrainingLease::Replace(const storage::ExperimentRecord& record, std::unique_ptr<retrieval::Index> index) {
  auto generation = std::make_shared<const Generation>(
      Generation{record.generation.number, record.generation.recipe, std::move(index)});
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  experiment_->current.swap(generation);  // the old one is let go below, outside the lock if nobody else has it
  experiment_->failure = absl::OkStatus();
  experiment_->created = record.created;
  experiment_->updated = record.updated;
}

Description TrainingLease::Describe() const {
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  return Registry::Describe(*experiment_);
}

}  // namespace kith::experiments
