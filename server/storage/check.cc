#include "server/storage/check.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/data_folder.h"
#include "server/storage/lock.h"
#include "server/storage/log_repair.h"
#include "server/storage/quoted.h"

namespace kith::storage {
namespace {

bool Exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

absl::Status CheckGeneration(const StoreParts& parts, const CatalogueView& view, const StoredGeneration& generation,
                             IndexReader read_index) {
  if (!generation.record.status.ok()) return generation.record.status;
  const auto snapshot = parts.snapshots->Read(generation.snapshot);
  if (!snapshot.ok()) return snapshot.status();
  return ReadGeneration(view, generation, **snapshot, read_index).status();
}

// An index that cannot be read does not say whose it is.
absl::Status OfGeneration(const StoredGeneration& generation, const absl::Status& status) {
  return Error(absl::StatusCode::kDataLoss, Reason::kStorage,
               absl::StrCat("generation ", generation.record.info.number, ": ", std::string(status.message())));
}

Checked CheckExperiment(const StoreParts& parts, const CatalogueView& view, const StoredExperiment& experiment,
                        IndexReader read_index) {
  Checked checked;
  checked.what = absl::StrCat("experiment ", Quoted(experiment.name));
  const auto add = [&](const absl::Status& status) {
    if (!status.ok()) checked.faults.push_back(status);
  };
  add(experiment.status);
  for (const StoredGeneration& generation : experiment.generations) {
    ++checked.generations;
    checked.rows += generation.record.total_rows;
    const absl::Status status = CheckGeneration(parts, view, generation, read_index);
    if (!status.ok()) add(OfGeneration(generation, status));
  }
  add(view.Requests(experiment.name).status());
  return checked;
}

absl::Status CheckLog(const std::string& path) {
  const auto repairs = CountLogRepairs(path);
  if (!repairs.ok()) return repairs.status();
  if (*repairs == 0) return absl::OkStatus();
  return Error(absl::StatusCode::kDataLoss, Reason::kStorage,
               absl::StrCat(path,
                            " is damaged; start kithd, which puts it right where its checksums tell how, stop it, "
                            "and check again"));
}

absl::Status FaultsFound(const std::string& data_dir, size_t faults) {
  return Error(absl::StatusCode::kDataLoss, Reason::kStorage, absl::StrCat("faults found in ", data_dir, ": ", faults));
}

}  // namespace

absl::Status CheckDataFolder(const std::string& data_dir, IndexReader read_index,
                             absl::FunctionRef<void(const Checked&)> report) {
  if (!Exists(absl::StrCat(data_dir, "/", kCatalogueFile)) && !Exists(absl::StrCat(data_dir, "/", kSnapshotsFolder))) {
    return Error(Reason::kBadParameter, absl::StrCat(data_dir, " is no data folder of Kith; name one"));
  }
  const auto lock = FolderLock::Take(absl::StrCat(data_dir, "/lock"));
  if (!lock.ok()) return lock.status();
  const absl::Status log = CheckLog(absl::StrCat(data_dir, "/", kLogFile));
  if (!log.ok()) {
    report({"catalogue", 0, 0, {log}});
    return FaultsFound(data_dir, 1);
  }
  const auto parts = OpenDataFolder(data_dir);
  if (!parts.ok()) return parts.status();
  const auto view = parts->catalogue->View();
  if (!view.ok()) return view.status();

  size_t faults = 0;
  const auto tell = [&](const Checked& checked) {
    faults += checked.faults.size();
    report(checked);
  };
  tell({"catalogue", 0, 0, (*view)->Faults()});
  const auto experiments = (*view)->List();
  if (!experiments.ok()) return experiments.status();
  for (const StoredExperiment& experiment : *experiments) {
    tell(CheckExperiment(*parts, **view, experiment, read_index));
  }
  return faults == 0 ? absl::OkStatus() : FaultsFound(data_dir, faults);
}

}  // namespace kith::storage
