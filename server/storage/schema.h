// The catalogue's tables and their versions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// Opens the catalogue's file for writing, brought to the newest schema. A file that is missing or empty is made new
// where `may_create` is true, and is DATA_LOSS STORAGE otherwise. FAILED_PRECONDITION STORAGE where a newer version of
// Kith, or another program, made it.
absl::StatusOr<Database> OpenCatalogueDatabase(const std::string& path, bool may_create);

}  // namespace kith::storage
