#include "server/storage/store.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/outcome.h"
#include "server/storage/store_state.h"

namespace kith::storage {
namespace {

absl::Status CheckNewGeneration(std::string_view name, retrieval::FrameView frames) {
  const absl::Status status = CheckExperimentName(name);
  if (!status.ok()) return status;
  if (frames.rows > 0 && frames.dimension > 0) return absl::OkStatus();
  return Error(Reason::kBadParameter, "a generation needs at least one frame of dimension 1 or more");
}

}  // namespace

StoreParts::StoreParts() = default;
StoreParts::~StoreParts() = default;
StoreParts::StoreParts(StoreParts&&) noexcept = default;

Store::State::State(StoreParts parts, StoreOptions options_)
    : options(std::move(options_)),
      scratch_path(std::move(parts.scratch_path)),
      lock(std::move(parts.lock)),
      snapshots(std::move(parts.snapshots)),
      catalogue(std::move(parts.catalogue)),
      additions([this](absl::Span<const PreparedAddition* const> group) {
        const std::lock_guard<std::mutex> guard(mutex);
        return catalogue->Append(group, options.now());
      }) {}

void Store::State::RemoveSnapshots(const std::vector<std::string>& names) {
  const std::lock_guard<std::mutex> guard(mutex);
  for (const std::string& name : holds.ToRemove(names)) snapshots->Remove(name);
}

// In steps, so that the other calls get their turn. What fails here costs space only.
void Store::State::ShrinkCatalogue() {
  for (bool more = true; more;) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto left = catalogue->Shrink();
    more = left.ok() && *left;
  }
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Make(StoreParts parts, StoreOptions options) {
  const auto known = parts.catalogue->Snapshots();
  if (!known.ok()) return known.status();
  // With a damaged row any snapshot may be the one that it speaks of.
  if (known->has_value()) {
    const absl::Status status = parts.snapshots->RemoveUnknown(**known);
    if (!status.ok()) return status;
  }
  return std::unique_ptr<Store>(new Store(std::make_unique<State>(std::move(parts), std::move(options))));
}

absl::StatusOr<std::vector<ExperimentRecord>> Store::List() {
  const auto all = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue->List();
  }();
  if (!all.ok()) return all.status();
  std::vector<ExperimentRecord> records;
  records.reserve(all->size());
  for (const StoredExperiment& experiment : *all) records.push_back(CurrentRecordOf(experiment));
  return records;
}

absl::StatusOr<ExperimentRecord> Store::Get(std::string_view name) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  const auto found = state_->catalogue->Find(name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  return CurrentRecordOf(**found);
}

absl::StatusOr<std::vector<GenerationRecord>> Store::Generations(std::string_view name) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  const auto found = state_->catalogue->Find(name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  std::vector<GenerationRecord> records;
  for (const StoredGeneration& generation : (*found)->generations) records.push_back(generation.record);
  return records;
}

absl::StatusOr<CommitRecord> Store::CommitGeneration(std::string_view name, const retrieval::Recipe& recipe,
                                                     const retrieval::BuildReport& report, retrieval::FrameView frames,
                                                     absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                                     const Progress& progress, const std::optional<Request>& request) {
  const absl::Status status = CheckNewGeneration(name, frames);
  if (!status.ok()) return status;
  GenerationInfo generation;
  generation.recipe = recipe;
  generation.report = report;
  generation.rows = frames.rows;
  generation.dimension = frames.dimension;
  generation.created = state_->options.now();
  {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    const auto former = state_->catalogue->Find(name);
    if (!former.ok()) return former.status();
    const auto answer = state_->catalogue->FindAnswer(name, RequestKind::kTrain, request, generation.created);
    if (!answer.ok()) return answer.status();
    if (answer->has_value() && former->has_value()) return CommitRecord{CurrentRecordOf(**former), /*repeated=*/true};
    generation.number = former->has_value() ? NextNumber(**former) : 1;
  }
  const auto snapshot = state_->snapshots->Write(name, generation, frames, write_index, progress);
  if (!snapshot.ok()) return snapshot.status();
  const auto committed = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue->Commit(name, generation, *snapshot, request, state_->options.keep_generations,
                                     state_->options.now());
  }();
  if (!committed.ok()) {
    // After a restart the catalogue may turn out to have it; if not, the snapshot is removed then.
    if (!OutcomeUnknown(committed.status())) state_->RemoveSnapshots({snapshot->name});
    return committed.status();
  }
  state_->RemoveSnapshots(committed->removed);
  state_->ShrinkCatalogue();
  return committed->record;
}

std::vector<absl::StatusOr<AddRecord>> Store::Append(absl::Span<const Addition> additions) {
  std::vector<absl::StatusOr<AddRecord>> answers(additions.size(),
                                                 Error(Reason::kEmptyBatch, "no frames to add; send at least one"));
  std::vector<PreparedAddition> prepared;
  for (const Addition& addition : additions) {
    if (addition.frames.rows > 0) prepared.push_back({&addition, CutIntoChunks(addition.frames)});
  }
  if (prepared.empty()) return answers;
  std::vector<absl::StatusOr<AddRecord>> given = state_->additions.Append(prepared);
  for (size_t i = 0; i < prepared.size(); ++i) answers[prepared[i].addition - additions.data()] = std::move(given[i]);
  return answers;
}

absl::StatusOr<ExperimentRecord> Store::Rollback(std::string_view name, std::optional<int64_t> to) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->catalogue->Rollback(name, to, state_->options.now());
}

absl::Status Store::SetPinned(std::string_view name, bool pinned) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->catalogue->SetPinned(name, pinned);
}

absl::Status Store::Delete(std::string_view name) {
  const auto removed = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue->Delete(name);
  }();
  if (!removed.ok()) return removed.status();
  state_->RemoveSnapshots(*removed);
  state_->ShrinkCatalogue();
  return absl::OkStatus();
}

absl::StatusOr<ScratchFolder> Store::MakeScratch() const { return ScratchFolder::Make(state_->scratch_path); }

absl::StatusOr<std::optional<RequestRecord>> Store::FindRequest(std::string_view name, std::string_view request_id) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->catalogue->FindRequest(name, request_id, state_->options.now());
}

}  // namespace kith::storage
