#include "server/storage/data_folder.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/status.h"
#include "server/storage/folder_snapshots.h"
#include "server/storage/manifest.h"
#include "server/storage/sqlite_catalogue.h"
#include "server/storage/tar_reader.h"

namespace kith::storage {
namespace {

bool IsExpected(TarEntry kind, std::string_view path) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(path), '/');
  if (kind == TarEntry::kFile && parts.size() == 1) return parts[0] == kCatalogueFile;
  if (parts[0] != kSnapshotsFolder || (parts.size() > 1 && !IsSnapshotName(parts[1]))) return false;
  if (kind == TarEntry::kFolder) return parts.size() <= 2;
  return parts.size() == 3 && (parts[2] == kIndexFile || parts[2] == kFramesFile || parts[2] == kManifestFile);
}

}  // namespace

absl::StatusOr<StoreParts> OpenDataFolder(const std::string& folder) {
  auto snapshots = FolderSnapshots::Open(absl::StrCat(folder, "/", kSnapshotsFolder));
  if (!snapshots.ok()) return snapshots.status();
  const auto has_snapshots = (*snapshots)->HasSnapshots();
  if (!has_snapshots.ok()) return has_snapshots.status();
  auto catalogue = SqliteCatalogue::Open(absl::StrCat(folder, "/", kCatalogueFile), /*may_create=*/!*has_snapshots);
  if (!catalogue.ok()) return catalogue.status();
  StoreParts parts;
  parts.catalogue = *std::move(catalogue);
  parts.snapshots = *std::move(snapshots);
  return parts;
}

absl::Status UnpackDataFolder(const std::string& tar_path, const std::string& folder) {
  return UnpackTar(tar_path, folder, IsExpected);
}

}  // namespace kith::storage
