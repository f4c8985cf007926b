// A store of a local data folder.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/storage/file.h"
#include "server/storage/folder_snapshots.h"
#include "server/storage/lock.h"
#include "server/storage/sqlite_catalogue.h"
#include "server/storage/store.h"

namespace kith::storage {
namespace {

absl::Status EmptyScratch(const std::string& path) {
  RemoveFolder(path);
  return MakeFolders(path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& data_dir, StoreOptions options) {
  absl::Status status = MakeFolders(data_dir);
  if (!status.ok()) return status;
  auto lock = FolderLock::Take(absl::StrCat(data_dir, "/lock"));
  if (!lock.ok()) return lock.status();
  auto snapshots = FolderSnapshots::Open(absl::StrCat(data_dir, "/snapshots"));
  if (!snapshots.ok()) return snapshots.status();
  const auto has_snapshots = (*snapshots)->HasSnapshots();
  if (!has_snapshots.ok()) return has_snapshots.status();
  auto catalogue = SqliteCatalogue::Open(absl::StrCat(data_dir, "/catalogue.sqlite"), /*may_create=*/!*has_snapshots);
  if (!catalogue.ok()) return catalogue.status();
  StoreParts parts;
  parts.scratch_path = absl::StrCat(data_dir, "/scratch");
  status = EmptyScratch(parts.scratch_path);
  if (status.ok()) status = SyncFolder(data_dir);
  if (!status.ok()) return status;
  parts.catalogue = *std::move(catalogue);
  parts.snapshots = *std::move(snapshots);
  parts.lock = std::make_shared<FolderLock>(*std::move(lock));
  return Make(std::move(parts), std::move(options));
}

}  // namespace kith::storage
