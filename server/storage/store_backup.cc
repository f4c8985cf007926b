// Backups: the whole store as a tar.
#include <unistd.h>

#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/data_folder.h"
#include "server/storage/file.h"
#include "server/storage/generation_reader.h"
#include "server/storage/store_state.h"
#include "server/storage/tar_writer.h"

namespace kith::storage {
namespace {

std::set<std::string> SnapshotsOf(const std::vector<StoredExperiment>& experiments) {
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
  absl::Status status = tar->AddFolder(folder);
  if (!status.ok()) return status;
  return (*snapshot)->ReadFiles([&](std::string_view file, int64_t size, ByteSource source) {
    return tar->AddFile(absl::StrCat(folder, "/", std::string(file)), size, source);
  });
}

// SQLite says nothing where, at the end, it could not put its log into the one file that is packed.
absl::Status CheckClosed(const std::string& log) {
  if (::access(log.c_str(), F_OK) != 0) return absl::OkStatus();
  return Error(Reason::kStorage, absl::StrCat("writing ", log, " back: the disk is full or failing; free some space"));
}

// What can be seen of an experiment before its generations are read.
absl::Status CheckRows(const CatalogueView& view, const StoredExperiment& experiment) {
  if (!CheckExperimentName(experiment.name).ok()) {
    return Error(absl::StatusCode::kDataLoss, Reason::kStorage, "its name is none that an experiment has");
  }
  return experiment.status.ok() ? view.Requests(experiment.name).status() : experiment.status;
}

// Packs experiments one after the other. What is damaged is taken out of the catalogue, a copy that is packed last.
class Packer {
 public:
  Packer(const SnapshotStore& snapshots, StoreParts copy, TarWriter* tar, absl::Time now)
      : snapshots_(snapshots), copy_(std::move(copy)), tar_(tar), now_(now) {}

  // `experiments` are those of the copy.
  absl::Status Pack(const std::vector<StoredExperiment>& experiments) {
    const auto view = copy_.catalogue->View();
    if (!view.ok()) return view.status();
    std::vector<std::pair<const StoredExperiment*, std::set<int64_t>>> damaged;
    for (const StoredExperiment& experiment : experiments) {
      std::set<int64_t> generations;
      const auto whole = PackOne(**view, experiment, &generations);
      if (!whole.ok()) return whole.status();
      if (!*whole) damaged.emplace_back(&experiment, std::move(generations));
    }
    for (const auto& [experiment, generations] : damaged) {
      absl::Status status = copy_.catalogue->Forget(*experiment, generations, now_);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  const BackupSummary& summary() const { return summary_; }

 private:
  // False where something of it is damaged, of which `damaged` has the generations. Only what ends the backup is an
  // error.
  absl::StatusOr<bool> PackOne(const CatalogueView& view, const StoredExperiment& experiment,
                               std::set<int64_t>* damaged) {
    const std::string name =
        CheckExperimentName(experiment.name).ok() ? experiment.name : absl::CHexEscape(experiment.name);
    const absl::Status all = CheckRows(view, experiment);
    if (!all.ok() && !absl::IsDataLoss(all)) return all;
    absl::Status first = all;
    for (const StoredGeneration& generation : experiment.generations) {
      const absl::Status status = all.ok() ? PackGeneration(view, generation) : all;
      if (status.ok()) continue;
      if (!absl::IsDataLoss(status)) return status;
      first.Update(status);
      damaged->insert(generation.id);
      summary_.left_out.push_back({name, generation.record.info.number, status});
    }
    const size_t packed = experiment.generations.size() - damaged->size();
    summary_.generations += static_cast<int64_t>(packed);
    if (packed > 0) {
      ++summary_.experiments;
    } else {  // told once
      summary_.left_out.resize(summary_.left_out.size() - damaged->size());
      summary_.left_out.push_back({name, 0, first});
    }
    return first.ok();
  }

  absl::Status PackGeneration(const CatalogueView& view, const StoredGeneration& generation) {
    absl::Status status = generation.record.status;
    if (status.ok()) status = CheckAdditions(view, generation);
    return status.ok() ? AddSnapshot(snapshots_, generation.snapshot, tar_) : status;
  }

  const SnapshotStore& snapshots_;
  const StoreParts copy_;
  TarWriter* const tar_;
  const absl::Time now_;
  BackupSummary summary_;
};

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
  const std::string copy = scratch->PathOf(kCatalogueFile);
  absl::Status status = (*view)->CopyTo(copy);
  view->reset();  // as long as it is there, SQLite's log only grows
  if (!status.ok()) return status;
  auto parts = OpenDataFolder(scratch->path());
  if (!parts.ok()) return parts.status();

  const absl::Time now = state_->options.now();
  TarWriter tar(sink, now);
  status = tar.AddFolder(kSnapshotsFolder);
  BackupSummary summary;
  {
    Packer packer(*state_->snapshots, *std::move(parts), &tar, now);
    if (status.ok()) status = packer.Pack(*experiments);
    summary = packer.summary();
  }
  if (status.ok()) status = CheckClosed(scratch->PathOf(kLogFile));
  if (status.ok()) status = AddCatalogue(copy, &tar);
  if (status.ok()) status = tar.Finish();
  if (!status.ok()) return status;
  summary.bytes = tar.bytes();
  return summary;
}

}  // namespace kith::storage
