// Putting the experiments of a backup in.
#include <mutex>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/data_folder.h"
#include "server/storage/outcome.h"
#include "server/storage/quoted.h"
#include "server/storage/store_state.h"

namespace kith::storage {
namespace {

using Experiments = std::vector<StoredExperiment>;

// A backup is whole, or it is none.
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

// Those of experiments whose names CheckAll found good.
std::vector<std::string> NamesOf(const Experiments& experiments) {
  std::vector<std::string> names;
  for (const StoredExperiment& experiment : experiments) names.push_back(experiment.name);
  return names;
}

// Says what a restore that ends early has done by then.
absl::Status Interrupted(const absl::Status& status, const std::vector<std::string>& restored) {
  if (restored.empty()) return status;
  std::vector<std::string> quoted;
  quoted.reserve(restored.size());
  for (const std::string& name : restored) quoted.push_back(Quoted(name));
  absl::Status told(status.code(), absl::StrCat(std::string(status.message()),
                                                "; restored before that: ", absl::StrJoin(quoted, ", ")));
  status.ForEachPayload([&](auto url, const absl::Cord& payload) { told.SetPayload(url, payload); });
  return told;
}

}  // namespace

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
