#include "server/storage/store.h"

#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/catalogue.h"
#include "server/storage/file.h"
#include "server/storage/lock.h"
#include "server/storage/snapshot.h"

namespace kith::storage {

struct Store::State {
  State(StoreOptions options_, std::string path, std::string scratch, FolderLock lock_, SnapshotStore snapshots_,
        Catalogue catalogue_)
      : options(std::move(options_)),
        catalogue_path(std::move(path)),
        scratch_path(std::move(scratch)),
        lock(std::move(lock_)),
        snapshots(std::move(snapshots_)),
        catalogue(std::move(catalogue_)) {}

  void RemoveSnapshots(const std::vector<std::string>& folders);
  void ShrinkCatalogue();

  // Constant after construction.
  const StoreOptions options;
  const std::string catalogue_path;
  const std::string scratch_path;
  const FolderLock lock;

  // Has its own synchronisation. A snapshot is removed only under `mutex`, so that Load opens what it found.
  const SnapshotStore snapshots;

  std::mutex mutex;
  Catalogue catalogue;  // guarded by mutex
};

namespace {

absl::Status EmptyScratch(const std::string& path) {
  RemoveFolder(path);
  return MakeFolders(path);
}

absl::StatusOr<Catalogue> OpenCatalogue(const std::string& path, const SnapshotStore& snapshots) {
  const auto has_snapshots = snapshots.HasSnapshots();
  if (!has_snapshots.ok()) return has_snapshots.status();
  return Catalogue::Open(path, /*may_create=*/!*has_snapshots);
}

absl::Status RemoveUncommitted(const Catalogue& catalogue, const SnapshotStore& snapshots) {
  const auto known = catalogue.Snapshots();
  if (!known.ok()) return known.status();
  // With a damaged row any folder may be the one that it speaks of.
  return known->has_value() ? snapshots.RemoveUnknown(**known) : absl::OkStatus();
}

absl::Status CheckNewGeneration(std::string_view name, retrieval::FrameView frames) {
  const absl::Status status = CheckExperimentName(name);
  if (!status.ok()) return status;
  if (frames.rows > 0 && frames.dimension > 0) return absl::OkStatus();
  return Error(Reason::kBadParameter, "a generation needs at least one frame of dimension 1 or more");
}

}  // namespace

void Store::State::RemoveSnapshots(const std::vector<std::string>& folders) {
  const std::lock_guard<std::mutex> guard(mutex);
  for (const std::string& folder : folders) snapshots.Remove(folder);
}

// In steps, so that the other calls get their turn. What fails here costs space only.
void Store::State::ShrinkCatalogue() {
  for (bool more = true; more;) {
    const std::lock_guard<std::mutex> guard(mutex);
    const auto left = catalogue.Shrink();
    more = left.ok() && *left;
  }
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}

Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& data_dir, StoreOptions options) {
  absl::Status status = MakeFolders(data_dir);
  if (!status.ok()) return status;
  auto lock = FolderLock::Take(absl::StrCat(data_dir, "/lock"));
  if (!lock.ok()) return lock.status();
  auto snapshots = SnapshotStore::Open(absl::StrCat(data_dir, "/snapshots"));
  if (!snapshots.ok()) return snapshots.status();
  const std::string catalogue_path = absl::StrCat(data_dir, "/catalogue.sqlite");
  auto catalogue = OpenCatalogue(catalogue_path, *snapshots);
  if (!catalogue.ok()) return catalogue.status();
  const std::string scratch_path = absl::StrCat(data_dir, "/scratch");
  status = EmptyScratch(scratch_path);
  if (status.ok()) status = SyncFolder(data_dir);
  if (status.ok()) status = RemoveUncommitted(*catalogue, *snapshots);
  if (!status.ok()) return status;
  return std::unique_ptr<Store>(
      new Store(std::make_unique<State>(std::move(options), catalogue_path, scratch_path, *std::move(lock),
                                        *std::move(snapshots), *std::move(catalogue))));
}

absl::StatusOr<std::vector<ExperimentRecord>> Store::List() {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->catalogue.List();
}

absl::StatusOr<ExperimentRecord> Store::Get(std::string_view name) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  auto current = state_->catalogue.Find(name);
  if (!current.ok()) return current.status();
  if (!current->has_value()) return NoExperiment(name);
  return (*std::move(current))->record;
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
    const auto current = state_->catalogue.Find(name);
    if (!current.ok()) return current.status();
    const auto answer = state_->catalogue.FindAnswer(name, RequestKind::kTrain, request, generation.created);
    if (!answer.ok()) return answer.status();
    if (answer->has_value() && current->has_value()) return CommitRecord{(*current)->record, /*repeated=*/true};
    generation.number = NextNumber(*current);
  }
  const auto snapshot = state_->snapshots.Write(name, generation, frames, write_index, progress);
  if (!snapshot.ok()) return snapshot.status();
  const auto committed = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue.Commit(name, generation, *snapshot, request, state_->options.now());
  }();
  if (!committed.ok()) {
    // After a restart the catalogue may turn out to have it; if not, the snapshot is removed then.
    if (!OutcomeUnknown(committed.status())) state_->RemoveSnapshots({snapshot->folder});
    return committed.status();
  }
  state_->RemoveSnapshots(committed->removed);
  state_->ShrinkCatalogue();
  return committed->record;
}

std::vector<absl::StatusOr<AddRecord>> Store::Append(absl::Span<const Addition> additions) {
  std::vector<absl::StatusOr<AddRecord>> answers;
  for (const Addition& addition : additions) {
    if (addition.frames.rows <= 0) {
      answers.push_back(Error(Reason::kEmptyBatch, "no frames to add; send at least one"));
      continue;
    }
    const std::vector<Chunk> chunks = CutIntoChunks(addition.frames);
    const std::lock_guard<std::mutex> guard(state_->mutex);
    answers.push_back(state_->catalogue.Append(addition.name, addition.generation, addition.frames, chunks,
                                               addition.request, state_->options.now()));
  }
  return answers;
}

absl::StatusOr<std::vector<GenerationRecord>> Store::Generations(std::string_view name) {
  const auto record = Get(name);
  if (!record.ok()) return record.status();
  return std::vector<GenerationRecord>{
      {record->generation, record->total_rows, record->updated, /*current=*/true, record->status}};
}

namespace {
absl::Status Missing() { return Error(Reason::kInternal, "this part of the store is being written"); }
}  // namespace

absl::StatusOr<ExperimentRecord> Store::Rollback(std::string_view, std::optional<int64_t>) { return Missing(); }
absl::StatusOr<ExperimentRecord> Store::Fold(std::string_view, int64_t, retrieval::FrameView,
                                             absl::FunctionRef<absl::Status(ByteSink)>) {
  return Missing();
}
absl::Status Store::SetPinned(std::string_view, bool) { return Missing(); }
absl::StatusOr<BackupSummary> Store::WriteBackup(ByteSink) { return Missing(); }
absl::StatusOr<std::vector<ExperimentRecord>> Store::Restore(const std::string&, bool) { return Missing(); }

absl::StatusOr<LoadedExperiment> Store::Load(
    std::string_view name, std::optional<int64_t> number,
    absl::FunctionRef<absl::Status(const GenerationInfo&, retrieval::FrameView, ByteSource)> read_index) {
  // A connection of its own, so that reading much does not hold up the others.
  const auto reader = CatalogueReader::Open(state_->catalogue_path);
  if (!reader.ok()) return reader.status();
  std::unique_lock<std::mutex> guard(state_->mutex);
  auto current = reader->Find(name);
  if (!current.ok()) return current.status();
  if (number && *number != current->record.generation.number) {
    return Error(Reason::kBadParameter, absl::StrCat("there is no generation ", *number));
  }
  auto snapshot = state_->snapshots.Read(current->snapshot);
  guard.unlock();
  if (!snapshot.ok()) return snapshot.status();

  const GenerationInfo& generation = current->record.generation;
  auto frames = snapshot->ReadFrames(generation, current->record.total_rows);
  if (!frames.ok()) return frames.status();
  absl::Status status = reader->ReadAdditions(*current, &*frames);
  if (status.ok()) {
    status = snapshot->ReadIndex(
        [&](ByteSource source) { return read_index(generation, frames->view().Slice(0, generation.rows), source); });
  }
  if (!status.ok()) return status;
  return LoadedExperiment{std::move(current->record), *std::move(frames)};
}

absl::Status Store::Delete(std::string_view name) {
  const auto removed = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue.Delete(name);
  }();
  if (!removed.ok()) return removed.status();
  state_->RemoveSnapshots(*removed);
  state_->ShrinkCatalogue();
  return absl::OkStatus();
}

absl::StatusOr<ScratchFolder> Store::MakeScratch() const { return ScratchFolder::Make(state_->scratch_path); }

absl::StatusOr<std::optional<RequestRecord>> Store::FindRequest(std::string_view name, std::string_view request_id) {
  const std::lock_guard<std::mutex> guard(state_->mutex);
  return state_->catalogue.FindRequest(name, request_id, state_->options.now());
}

}  // namespace kith::storage
