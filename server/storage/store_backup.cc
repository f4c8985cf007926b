// Backups: the whole store as a tar, and experiments out of one.
#include <mutex>
#include <set>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/data_folder.h"
#include "server/storage/file.h"
#include "server/storage/outcome.h"
#include "server/storage/quoted.h"
#include "server/storage/store_state.h"
#include "server/storage/tar_writer.h"

namespace kith::storage {
namespace {

using Experiments = std::vector<StoredExperiment>;

// A backup is whole or it is none.
absl::Status CheckAll(const Experiments& experiments) {
  for (const StoredExperiment& experiment : experiments) {
    absl::Status status = CheckExperimentName(experiment.name);
    if (status.ok()) status = experiment.status;
    if (!status.ok()) return status;
    for (const StoredGeneration& generation : experiment.generations) {
      if (!generation.record.status.ok()) return generation.record.status;
    }
  }
  return absl::OkStatus();
}

std::set<std::string> SnapshotsOf(const Experiments& experiments) {
  std::set<std::string> names;
  for (const StoredExperiment& experiment : experiments) {
    for (std::string& name : experiment.Snapshots()) names.insert(std::move(name));
  }
  return names;
}

absl::Status AddCatalogue(const std::string& path, TarWriter* tar) {
  auto file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const auto size = file->Size();
  if (!size.ok()) return size.status();
  return tar->AddFile(kCatalogueFile, *size, [&](absl::Span<char> out) { return file->Read(out); });
}

absl::Status AddSnapshot(const SnapshotStore& snapshots, const SnapshotEntry& entry, TarWriter* tar) {
  const auto snapshot = snapshots.Read(entry);
  if (!snapshot.ok()) return snapshot.status();
  const std::string folder = absl::StrCat(kSnapshotsFolder, "/", entry.name);
  const absl::Status status = tar->AddFolder(folder);
  if (!status.ok()) return status;
  return (*snapshot)->ReadFiles([&](std::string_view file, int64_t size, ByteSource source) {
    return tar->AddFile(absl::StrCat(folder, "/", std::string(file)), size, source);
  });
}

// Says what a restore that ends early has done by then.
absl::Status Interrupted(const absl::Status& status, const std::vector<std::string>& restored) {
  if (restored.empty()) return status;
  std::vector<std::string> quoted;
  for (const std::string& name : restored) quoted.push_back(Quoted(name));
  absl::Status told(status.code(), absl::StrCat(std::string(status.message()),
                                                "; restored before that: ", absl::StrJoin(quoted, ", ")));
  status.ForEachPayload([&](auto url, const absl::Cord& payload) { told.SetPayload(url, payload); });
  return told;
}

}  // namespace

absl::StatusOr<BackupSummary> Store::WriteBackup(ByteSink sink) {
  const auto scratch = MakeScratch();
  if (!scratch.ok()) return scratch.status();
  auto view = state_->catalogue->View();
  if (!view.ok()) return view.status();
  std::unique_lock<std::mutex> guard(state_->mutex);
  const auto experiments = (*view)->List();
  if (!experiments.ok()) return experiments.status();
  const std::set<std::string> held = SnapshotsOf(*experiments);
  state_->holds.Hold(held);
  guard.unlock();
  const absl::Cleanup release = [&] {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    for (const std::string& name : state_->holds.Release(held)) state_->snapshots->Remove(name);
  };
  absl::Status status = CheckAll(*experiments);
  const std::string copy = scratch->PathOf(kCatalogueFile);
  if (status.ok()) status = (*view)->CopyTo(copy);
  view->reset();  // as long as it is there, SQLite's log only grows
  if (!status.ok()) return status;

  BackupSummary summary;
  TarWriter tar(sink, state_->options.now());
  status = AddCatalogue(copy, &tar);
  if (status.ok()) status = tar.AddFolder(kSnapshotsFolder);
  for (const StoredExperiment& experiment : *experiments) {
    ++summary.experiments;
    for (const StoredGeneration& generation : experiment.generations) {
      ++summary.generations;
      if (status.ok()) status = AddSnapshot(*state_->snapshots, generation.snapshot, &tar);
    }
  }
  if (status.ok()) status = tar.Finish();
  if (!status.ok()) return status;
  summary.bytes = tar.bytes();
  return summary;
}

absl::StatusOr<std::vector<SnapshotEntry>> Store::State::CopySnapshots(const StoredExperiment& experiment,
                                                                       const SnapshotStore& from) {
  std::vector<SnapshotEntry> copies;
  for (const StoredGeneration& generation : experiment.generations) {
    auto snapshot = from.Read(generation.snapshot);
    auto copy = snapshot.ok() ? snapshots->Copy(generation.snapshot, **snapshot) : snapshot.status();
    if (!copy.ok()) {
      for (const SnapshotEntry& done : copies) snapshots->Remove(done.name);
      return copy.status();
    }
    from.Remove(generation.snapshot.name);  // the disk need not hold all of it twice
    copies.push_back(*std::move(copy));
  }
  return copies;
}

absl::StatusOr<ExperimentRecord> Store::State::RestoreOne(const StoredExperiment& experiment, const CatalogueView& view,
                                                          const SnapshotStore& from, bool replace) {
  const auto copies = CopySnapshots(experiment, from);
  if (!copies.ok()) return copies.status();
  const auto changed = [&] {
    const std::lock_guard<std::mutex> guard(mutex);
    return catalogue->Restore(view, experiment, *copies, replace);
  }();
  if (!changed.ok()) {
    if (!OutcomeUnknown(changed.status())) {
      for (const SnapshotEntry& copy : *copies) snapshots->Remove(copy.name);
    }
    return changed.status();
  }
  RemoveSnapshots(changed->removed);
  return changed->record;
}

// Those of experiments whose names CheckAll found good.
std::vector<std::string> NamesOf(const std::vector<StoredExperiment>& experiments) {
  std::vector<std::string> names;
  for (const StoredExperiment& experiment : experiments) names.push_back(experiment.name);
  return names;
}

absl::Status Store::State::CheckFree(const std::vector<StoredExperiment>& experiments) {
  std::vector<std::string> taken;
  const std::lock_guard<std::mutex> guard(mutex);
  for (const StoredExperiment& experiment : experiments) {
    const auto found = catalogue->Find(experiment.name);
    if (!found.ok()) return found.status();
    if (found->has_value()) taken.push_back(Quoted(experiment.name));
  }
  return taken.empty() ? absl::OkStatus() : ExperimentsExist(absl::StrJoin(taken, ", "));
}

absl::Status Store::Restore(const std::string& tar_path, bool replace,
                            absl::FunctionRef<absl::Status(const std::vector<std::string>&)> before,
                            absl::FunctionRef<void(const ExperimentRecord&)> on_restored) {
  const auto scratch = MakeScratch();
  if (!scratch.ok()) return scratch.status();
  absl::Status status = UnpackDataFolder(tar_path, scratch->path());
  if (!status.ok()) return status;
  const auto parts = OpenDataFolder(scratch->path());
  if (!parts.ok()) return parts.status();
  const auto view = parts->catalogue->View();
  if (!view.ok()) return view.status();
  const auto experiments = (*view)->List();
  if (!experiments.ok()) return experiments.status();
  status = CheckAll(*experiments);
  if (status.ok() && !replace) status = state_->CheckFree(*experiments);
  if (status.ok()) status = before(NamesOf(*experiments));
  if (!status.ok()) return status;

  std::vector<std::string> restored;
  for (const StoredExperiment& experiment : *experiments) {
    const auto record = state_->RestoreOne(experiment, **view, *parts->snapshots, replace);
    if (!record.ok()) return Interrupted(record.status(), restored);
    restored.push_back(record->name);
    on_restored(*record);
  }
  state_->ShrinkCatalogue();
  return absl::OkStatus();
}

}  // namespace kith::storage
