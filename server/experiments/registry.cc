#include "server/experiments/registry.h"

#include <algorithm>
#include <future>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/clock.h"
#include "server/base/guard.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/experiments/training_lease.h"
#include "server/retrieval/platform.h"

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

absl::Status ShuttingDown() {
  return Error(Reason::kShuttingDown, "the server is shutting down; connect again in a moment");
}

// What `body` gives, or the error that its exception is.
template <typename Body>
auto OrFault(const Body& body) -> decltype(body()) {
  decltype(body()) result = absl::UnknownError("");
  const absl::Status status = Guarded([&] {
    result = body();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return result;
}

}  // namespace

Registry::Registry(storage::Store* store, MemoryBudget* budget, RegistryOptions options)
    : store_(store),
      budget_(budget),
      options_(std::move(options)),
      max_experiments_(options_.max_experiments),
      pool_(std::make_unique<ThreadPool>(
          options_.threads, [] { retrieval::SetThreadsOfThisThread(1); },  // the cores are the searches'
          options_.load_threads)) {
  budget_->SetMakeRoom([this](int64_t bytes) { return MakeRoom(bytes); });
}

Registry::~Registry() {
  StopLoading();
  pool_.reset();
  budget_->SetMakeRoom(nullptr);
}

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(storage::Store* store, MemoryBudget* budget,
                                                         RegistryOptions options) {
  auto records = store->List();
  if (!records.ok()) return records.status();
  std::unique_ptr<Registry> registry(new Registry(store, budget, std::move(options)));
  for (storage::ExperimentRecord& record : *records) {
    auto experiment = std::make_shared<Experiment>(record.name, registry->pool_.get());
    experiment->failure = record.status;
    experiment->preloaded = absl::c_linear_search(registry->options_.preload, record.name);
    experiment->record = std::move(record);
    registry->experiments_.emplace(experiment->name, experiment);
  }
  for (const auto& [name, experiment] : registry->experiments_) {
    const bool look = IsPinned(*experiment) || !experiment->failure.ok();
    if (look) registry->AcquireWith(experiment, [](const Resident&) {});
  }
  return registry;
}

absl::StatusOr<Registry::Pointer> Registry::FindExperiment(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  if (found == experiments_.end()) return NotFound(name);
  return found->second;
}

Registry::Resident Registry::ResidentOf(const Experiment& experiment) {
  const std::string& name = experiment.name;
  if (experiment.deleted) return NotFound(name);
  experiment.last_used = absl::Now();
  if (experiment.resident != nullptr) return experiment.resident;
  if (experiment.unreadable) return experiment.failure;
  if (experiment.record.generation.number > 0 || !experiment.failure.ok()) return nullptr;
  return Error(Reason::kNotTrained,
               absl::StrCat("'", name, "' is being trained for the first time; wait until it is done"));
}

Registry::Resident Registry::FindResident(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  if (found == experiments_.end()) return NotFound(name);
  return ResidentOf(*found->second);
}

void Registry::Acquire(const std::string& name, OnResident done) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return done(experiment.status());
  AcquireWith(*experiment, std::move(done));
}

Registry::Resident Registry::AcquireNow(const std::string& name) {
  std::promise<Resident> promise;
  Acquire(name, [&](Resident resident) { promise.set_value(std::move(resident)); });
  return promise.get_future().get();
}

void Registry::AcquireWith(const Pointer& experiment, OnResident done) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Resident resident = ResidentOf(*experiment);
  if (!resident.ok() || *resident != nullptr) {
    lock.unlock();
    return done(resident);
  }
  experiment->waiting.push_back(std::move(done));
  if (experiment->waiting.size() > 1) return;
  experiment->work.Run([this, experiment] { LoadNow(experiment); }, Pace::kLong);
}

void Registry::LoadNow(const Pointer& experiment) {
  std::unique_lock<std::mutex> lock(mutex_);
  Resident result = ResidentOf(*experiment);
  if (result.ok() && *result == nullptr && stopping_) result = ShuttingDown();
  if (result.ok() && *result == nullptr) {
    const storage::ExperimentRecord record = experiment->record;
    const int64_t changes = experiment->changes;
    lock.unlock();
    const TimePoint start = Clock::now();
    absl::Status failure;
    auto loaded = OrFault([&] { return ReadNewest(record, &failure); });
    if (options_.on_load) options_.on_load(loaded.status(), !failure.ok());
    TellLoaded(experiment.get(), loaded.status(), SecondsSince(start));
    if (loaded.ok() && !failure.ok() && options_.on_degraded) {
      options_.on_degraded(record.name, loaded->generation->number, failure);
    }
    lock.lock();
    result = Publish(experiment.get(), changes, std::move(loaded), failure);
  }
  if (result.ok() && *result == nullptr) {  // another generation came in meanwhile, and is not in memory
    return experiment->work.Run([this, experiment] { LoadNow(experiment); }, Pace::kLong);
  }
  const auto waiting = std::exchange(experiment->waiting, {});
  lock.unlock();
  // The last is given the only copy, so that what is not used any more does not look as if it were.
  for (size_t i = 0; i + 1 < waiting.size(); ++i) waiting[i](result);
  if (!waiting.empty()) waiting.back()(std::move(result));
}

absl::StatusOr<LoadedGeneration> Registry::ReadNewest(const storage::ExperimentRecord& record, absl::Status* failure) {
  auto loaded =
      record.status.ok() ? LoadGeneration(store_, budget_, record) : absl::StatusOr<LoadedGeneration>(record.status);
  if (!absl::IsDataLoss(loaded.status())) return loaded;
  *failure = loaded.status();
  const auto generations = store_->Generations(record.name);
  if (!generations.ok()) return *failure;
  for (const storage::GenerationRecord& earlier : *generations) {
    if (earlier.current || !earlier.status.ok()) continue;
    loaded = LoadGeneration(store_, budget_, RecordOf(record.name, earlier), earlier.info.number);
    if (!absl::IsDataLoss(loaded.status())) return loaded;
  }
  return *failure;
}

// Not for each of the blocks that meet a full budget.
void Registry::TellLoaded(Experiment* experiment, const absl::Status& status, double seconds) {
  constexpr absl::Duration kPause = absl::Minutes(1);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const absl::Time now = absl::Now();
    if (!status.ok() && now - experiment->failure_told < kPause) return;
    experiment->failure_told = status.ok() ? absl::InfinitePast() : now;
  }
  if (options_.on_loaded) options_.on_loaded(experiment->name, status, seconds);
}

Registry::Resident Registry::Publish(Experiment* experiment, int64_t changes, absl::StatusOr<LoadedGeneration> loaded,
                                     const absl::Status& failure) {
  if (experiment->resident != nullptr) return experiment->resident;  // a training was faster
  if (experiment->changes != changes) return nullptr;                // what was read is not what there is now
  if (!failure.ok() || absl::IsDataLoss(loaded.status())) experiment->failure = failure;
  if (!loaded.ok()) {
    experiment->unreadable = absl::IsDataLoss(loaded.status());
    return loaded.status();
  }
  if (failure.ok()) {
    experiment->record = loaded->record;
    experiment->failure = absl::OkStatus();
    experiment->sound = true;
  }
  experiment->unreadable = false;
  experiment->resident = Own(*experiment, std::move(loaded->generation));
  experiment->last_used = absl::Now();
  return experiment->resident;
}

void Registry::Put(Experiment* experiment, const storage::ExperimentRecord& record) {
  experiment->record = record;
  ++experiment->changes;
  experiment->failure = record.status;
  experiment->unreadable = false;
  experiment->sound = false;
}

std::shared_ptr<Generation> Registry::Own(const Experiment& experiment, std::unique_ptr<Generation> generation) const {
  generation->traffic = experiment.traffic;
  return Reaper::Own(reaper_, std::move(generation));
}

bool Registry::MakeRoom(int64_t bytes) {
  std::vector<std::pair<std::string, std::shared_ptr<Generation>>> leaving;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<Experiment*> idle;
    for (const auto& [name, experiment] : experiments_) {
      // Copies are made under mutex_ or from copies, so that the only one stays the only one.
      const bool unused = experiment->resident != nullptr && experiment->resident.use_count() == 1;
      if (unused && !IsPinned(*experiment)) idle.push_back(experiment.get());
    }
    absl::c_sort(idle, [](const auto* a, const auto* b) { return a->last_used < b->last_used; });
    for (auto next = idle.begin(); next != idle.end() && bytes > 0; ++next) {
      bytes -= (*next)->resident->memory.bytes();
      leaving.emplace_back((*next)->name, std::move((*next)->resident));
    }
  }
  for (const auto& [name, generation] : leaving) {
    if (options_.on_let_go) options_.on_let_go(name);
  }
  const bool any = !leaving.empty();
  leaving.clear();
  // Also for what others let go of: it is not given back yet, but will be.
  return reaper_->WaitUntilDone() || any;
}

State Registry::StateOf(const Experiment& experiment) {
  if (!experiment.failure.ok()) return experiment.unreadable ? State::kFailed : State::kDegraded;
  return experiment.record.generation.number == 0 ? State::kTraining : State::kReady;
}

Description Registry::Describe(const Experiment& experiment) {
  Description description;
  description.record = experiment.record;
  description.failure = experiment.failure;
  description.training = experiment.training;
  description.generation = experiment.resident;
  description.pinned = IsPinned(experiment);
  description.last_used = experiment.last_used;
  description.state = StateOf(experiment);
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

absl::Status Registry::CheckChangeable(const Experiment& experiment) {
  if (experiment.deleted) return NotFound(experiment.name);
  if (experiment.training) return TrainingInProgress(absl::StatusCode::kAborted, experiment.name);
  return absl::OkStatus();
}

void Registry::Load(const std::string& name, OnChanged done) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return done(experiment.status());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    (*experiment)->unreadable = false;
  }
  AcquireWith(*experiment, [this, name, done = std::move(done)](const Resident& resident) {
    done(resident.ok() ? Describe(name) : resident.status());
  });
}

void Registry::StopLoading() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
}

absl::StatusOr<Description> Registry::Unload(const std::string& name) {
  const auto experiment = FindExperiment(name);
  if (!experiment.ok()) return experiment.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (IsPinned(**experiment)) {
    return Error(absl::StatusCode::kFailedPrecondition, Reason::kBadParameter,
                 absl::StrCat("'", name, "' is pinned, so that it stays in memory; unpin it first"));
  }
  (*experiment)->resident.reset();
  return Describe(**experiment);
}

void Registry::SetPinned(const std::string& name, bool pinned, OnChanged done) {
  const auto found = FindExperiment(name);
  if (!found.ok()) return done(found.status());
  if (!pinned && (*found)->preloaded) {
    return done(Error(absl::StatusCode::kFailedPrecondition, Reason::kBadParameter,
                      absl::StrCat("'", name, "' is pinned by the configuration; take it out of preload")));
  }
  (*found)->work.Run([this, experiment = *found, name, pinned, done = std::move(done)] {
    const absl::Status status = Guarded([&] { return store_->SetPinned(name, pinned); });
    if (!status.ok()) return done(status);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      experiment->record.pinned = pinned;
    }
    if (!pinned) return done(Describe(name));
    Load(name, done);
  });
}

void Registry::Rollback(const std::string& name, std::optional<int64_t> to, OnChanged done) {
  const auto found = FindExperiment(name);
  if (!found.ok()) return done(found.status());
  (*found)->work.Run([this, experiment = *found, to,
                      done = std::move(done)] { done(OrFault([&] { return RollBackNow(experiment, to); })); },
                     Pace::kLong);
}

absl::StatusOr<Description> Registry::RollBackNow(const Pointer& experiment, std::optional<int64_t> to) {
  const std::string& name = experiment->name;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (absl::Status status = CheckChangeable(*experiment); !status.ok()) return status;
  }
  const auto generations = store_->Generations(name);
  if (!generations.ok()) return generations.status();
  const auto target = absl::c_find_if(*generations, [&](const storage::GenerationRecord& generation) {
    return to ? generation.info.number == *to : !generation.current;
  });
  // Read first, so that it serves from the moment of the change; without room for both it is loaded when it is used.
  std::shared_ptr<Generation> resident;
  if (target != generations->end()) {
    auto loaded = LoadGeneration(store_, budget_, RecordOf(name, *target), target->info.number);
    if (absl::IsDataLoss(loaded.status())) return loaded.status();
    if (loaded.ok()) resident = Own(*experiment, std::move(loaded->generation));
  }
  const auto record = store_->Rollback(name, to);
  if (!record.ok()) return record.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  Put(experiment.get(), *record);
  experiment->sound = resident != nullptr;
  experiment->resident = std::move(resident);
  return Describe(*experiment);
}

void Registry::Delete(const std::string& name, std::function<void(const absl::Status&)> done) {
  const auto found = FindExperiment(name);
  if (!found.ok()) return done(found.status());
  {
    const std::lock_guard<std::mutex> lock(mutex_);  // so as not to wait for what is under way in vain
    if (absl::Status status = CheckChangeable(**found); !status.ok()) return done(status);
  }
  (*found)->work.Run([this, experiment = *found, done = std::move(done)] { done(DeleteNow(experiment)); });
}

absl::Status Registry::DeleteNow(const Pointer& experiment) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (absl::Status status = CheckChangeable(*experiment); !status.ok()) return status;
    experiment->deleted = true;
  }
  const absl::Status status = Guarded([&] { return store_->Delete(experiment->name); });
  const std::lock_guard<std::mutex> lock(mutex_);
  if (status.ok()) {
    experiments_.erase(experiment->name);
    experiment->resident.reset();
  } else {
    experiment->deleted = false;
  }
  return status;
}

void Registry::SetOnGrown(std::function<void(const storage::ExperimentRecord&)> on_grown) {
  const std::lock_guard<std::mutex> lock(mutex_);
  on_grown_ = std::move(on_grown);
}

void Registry::NoteFolded(const storage::ExperimentRecord& record) {
  const auto experiment = FindExperiment(record.name);
  if (!experiment.ok()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  storage::ExperimentRecord& known = (*experiment)->record;
  if (known.generation.number != record.generation.number) return;
  known.generation = record.generation;
  known.disk_bytes = record.disk_bytes;
}

void Registry::SetMaxExperiments(int64_t max_experiments) {
  const std::lock_guard<std::mutex> lock(mutex_);
  max_experiments_ = max_experiments;
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
    auto experiment = std::make_shared<Experiment>(name, pool_.get());
    experiment->record.name = name;
    experiment->preloaded = absl::c_linear_search(options_.preload, name);
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

void Registry::Release(const Pointer& experiment) {
  const std::lock_guard<std::mutex> lock(mutex_);
  experiment->training = false;
  if (experiment->record.generation.number == 0 && experiment->failure.ok()) {
    experiment->deleted = true;
    experiments_.erase(experiment->name);
  }
}

}  // namespace kith::experiments
