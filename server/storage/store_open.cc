// A store of a local data folder.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/storage/catalogue.h"
#include "server/storage/data_folder.h"
#include "server/storage/file.h"
#include "server/storage/lock.h"
#include "server/storage/log_repair.h"
#include "server/storage/snapshot_store.h"
#include "server/storage/store.h"

namespace kith::storage {
namespace {

absl::Status EmptyScratch(const std::string& path) {
  RemoveFolder(path);
  return MakeFolders(path);
}

absl::Status RepairLogOf(const std::string& data_dir, const StoreOptions& options) {
  const std::string path = absl::StrCat(data_dir, "/", kLogFile);
  const absl::StatusOr<int64_t> changed = RepairLog(path);
  if (!changed.ok()) return changed.status();
  if (*changed > 0 && options.on_repair) {
    options.on_repair(absl::StrCat(path, " was damaged, and is put right as far as its checksums tell how: ", *changed,
                                   " bytes changed; look after the disk"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& data_dir, StoreOptions options) {
  absl::Status status = MakeFolders(data_dir);
  if (!status.ok()) return status;
  auto lock = FolderLock::Take(absl::StrCat(data_dir, "/lock"));
  if (!lock.ok()) return lock.status();
  status = RepairLogOf(data_dir, options);
  if (!status.ok()) return status;
  auto parts = OpenDataFolder(data_dir);
  if (!parts.ok()) return parts.status();
  parts->scratch_path = absl::StrCat(data_dir, "/scratch");
  status = EmptyScratch(parts->scratch_path);
  if (status.ok()) status = SyncFolder(data_dir);
  if (!status.ok()) return status;
  parts->lock = std::make_shared<FolderLock>(*std::move(lock));
  return Make(*std::move(parts), std::move(options));
}

}  // namespace kith::storage
