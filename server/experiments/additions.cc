// Registry's additions: stored, then put into the index if that is in memory, then acknowledged.
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/experiments/loader.h"
#include "server/experiments/registry.h"
#include "server/retrieval/normalize.h"

namespace kith::experiments {
namespace {

// What rows take in memory: once as frames, once in the index.
int64_t BytesOf(retrieval::FrameView frames) {
  return 2 * static_cast<int64_t>(frames.size()) * static_cast<int64_t>(sizeof(float));
}

// No answer yet, or the error that it is.
absl::StatusOr<storage::AddRecord> Answer(const absl::Status& status) {
  if (!status.ok()) return status;
  return storage::AddRecord();
}

}  // namespace

absl::Status Registry::CheckAddable(const Experiment& experiment) {
  const std::string& name = experiment.name;
  if (experiment.training) {
    return Error(absl::StatusCode::kFailedPrecondition, Reason::kTrainingInProgress,
                 absl::StrCat("'", name, "' is being trained; try again when that is done"));
  }
  if (experiment.deleted) {
    return Error(Reason::kExperimentNotFound, absl::StrCat("'", name, "' is being deleted; nothing was added"));
  }
  if (experiment.failure.ok()) return absl::OkStatus();
  return Error(
      absl::StatusCode::kDataLoss, Reason::kStorage,
      absl::StrCat("the current generation of '", name, "' cannot be read, so that nothing can be added to it: ",
                   "roll back to an earlier one (kith rollback) or train again; ",
                   std::string(experiment.failure.message())));
}

absl::Status Registry::CheckAddition(const std::string& name) const {
  const auto found = FindExperiment(name);
  if (!found.ok()) return found.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  return CheckAddable(**found);
}

void Registry::Add(const std::string& name, retrieval::FrameView frames, const std::optional<storage::Request>& request,
                   OnAdded done) {
  const auto found = FindExperiment(name);
  if (!found.ok()) return done(found.status());
  // Before anything is stored: the index would refuse them, and could not be loaded with them any more.
  if (absl::Status status = retrieval::CheckNorms(frames); !status.ok()) return done(status);
  std::unique_lock<std::mutex> lock(mutex_);
  if (absl::Status status = CheckAddable(**found); !status.ok()) {
    lock.unlock();
    return done(status);
  }
  (*found)->additions.push_back({frames, request, std::move(done)});
  if ((*found)->additions.size() > 1) return;
  StoreAdditions(*found);
}

void Registry::StoreAdditions(const Pointer& experiment) {
  if (IsUnknown(*experiment)) experiment->work.Run([this, experiment] { LookBeforeAdding(experiment); }, Pace::kLong);
  experiment->work.Run([this, experiment] { AddPending(experiment); });
}

// What is added to a damaged generation would be acknowledged and then serve nobody.
void Registry::LookBeforeAdding(const Pointer& experiment) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!IsUnknown(*experiment) || !CheckAddable(*experiment).ok()) return;
  const int64_t changes = experiment->changes;
  lock.unlock();
  const absl::Status status = Guarded([&] { return store_->Verify(experiment->name); });
  lock.lock();
  if (experiment->changes != changes) return;  // AddPending finds it unknown, and has this done again
  experiment->sound = status.ok();
  if (status.ok()) return;
  if (absl::IsDataLoss(status)) experiment->failure = status;
  const auto refused = absl::IsDataLoss(status) ? std::vector<PendingAddition>()  // AddPending tells them
                                                : std::exchange(experiment->additions, {});
  lock.unlock();
  for (const PendingAddition& addition : refused) addition.done(status);
  // Finds what can serve instead, and tells of the damage.
  if (absl::IsDataLoss(status)) AcquireWith(experiment, [](const Resident&) {});
}

// One addition of those that are stored together.
struct Registry::AdditionResult {
  PendingAddition addition;
  absl::StatusOr<storage::AddRecord> answer;
};

void Registry::AddPending(const Pointer& experiment) {
  std::vector<AdditionResult> batch;
  std::shared_ptr<Generation> resident;
  storage::ExperimentRecord record;
  absl::Status status;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (experiment->additions.empty()) return;
    status = CheckAddable(*experiment);
    if (status.ok() && IsUnknown(*experiment)) return StoreAdditions(experiment);
    for (PendingAddition& addition : experiment->additions)
      batch.push_back({std::move(addition), storage::AddRecord()});
    experiment->additions.clear();
    resident = experiment->resident;
    record = experiment->record;
  }
  for (AdditionResult& result : batch) {
    result.answer = Answer(status.ok() ? ReserveFor(result.addition.frames, resident.get(), &record) : status);
  }
  const bool known = Store(record, &batch);
  if (resident != nullptr && !(known && Append(batch, resident.get()))) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (experiment->resident == resident) experiment->resident.reset();  // what is stored is read anew
  }
  NoteAdded(experiment.get(), batch);
  for (const AdditionResult& result : batch) result.addition.done(result.answer);
}

// Room for the rows where the experiment is in memory, and otherwise the knowledge that it can be loaded with them.
absl::Status Registry::ReserveFor(retrieval::FrameView frames, Generation* resident,
                                  storage::ExperimentRecord* record) const {
  const std::string what = absl::StrCat("'", record->name, "' with ", frames.rows, " rows more");
  if (resident != nullptr) return resident->memory.Resize(resident->memory.bytes() + BytesOf(frames), what);
  const int64_t bytes = BytesToLoad(*record) + BytesOf(frames);
  if (bytes > budget_->limit()) return budget_->Full(bytes, what);
  record->total_rows += frames.rows;  // so that those behind it are counted with it
  return absl::OkStatus();
}

// Stores those that have not been refused. False where it is not known what was stored.
bool Registry::Store(const storage::ExperimentRecord& record, std::vector<AdditionResult>* batch) {
  std::vector<storage::Addition> additions;
  std::vector<AdditionResult*> stored;
  for (AdditionResult& result : *batch) {
    if (!result.answer.ok()) continue;
    stored.push_back(&result);
    additions.push_back({record.name, record.generation.number, result.addition.frames, result.addition.request});
  }
  if (additions.empty()) return true;
  const absl::Status status = Guarded([&] {
    auto answers = store_->Append(additions);
    for (size_t i = 0; i < stored.size(); ++i) stored[i]->answer = std::move(answers[i]);
    return absl::OkStatus();
  });
  if (status.ok()) return true;
  for (AdditionResult* result : stored) result->answer = status;
  return false;
}

// Puts what was stored into the index. False where that failed, so that only some of it may be in.
bool Registry::Append(const std::vector<AdditionResult>& batch, Generation* resident) {
  const std::lock_guard<FairSharedMutex> alone(resident->additions);
  bool whole = true;
  for (const AdditionResult& result : batch) {
    const bool is_new = result.answer.ok() && !result.answer->repeated;
    if (is_new && whole) whole = Guarded([&] { return resident->index->Add(result.addition.frames); }).ok();
  }
  resident->memory.Correct(resident->index->bytes());
  return whole;
}

void Registry::NoteAdded(Experiment* experiment, const std::vector<AdditionResult>& batch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const AdditionResult& result : batch) {
    if (!result.answer.ok() || result.answer->repeated) continue;
    experiment->record.total_rows = result.answer->total_rows;
    experiment->record.updated = experiment->last_used = absl::Now();
  }
  if (on_grown_) on_grown_(experiment->record);
}

}  // namespace kith::experiments
