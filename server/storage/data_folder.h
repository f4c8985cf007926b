// The parts of a store in a folder of the local file system.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/storage/store.h"

namespace kith::storage {

inline constexpr char kCatalogueFile[] = "catalogue.sqlite";
inline constexpr char kSnapshotsFolder[] = "snapshots";

// SQLite's write-ahead log of the catalogue. Opened with a damaged one, SQLite drops what is behind the damage:
// RepairLog or CountLogRepairs comes first, wherever there may be one.
inline constexpr char kLogFile[] = "catalogue.sqlite-wal";

// Catalogue and snapshots, made where the folder has neither; the other parts are left open. Errors as Store::Open.
absl::StatusOr<StoreParts> OpenDataFolder(const std::string& folder);

// Unpacks the tar of such a folder into `folder`. Errors as UnpackTar.
absl::Status UnpackDataFolder(const std::string& tar_path, const std::string& folder);

}  // namespace kith::storage
