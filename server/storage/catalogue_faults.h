// What is wrong with the SQLite catalogue as a whole.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// As CatalogueView::Faults.
std::vector<absl::Status> FindFaults(const Database& database);

}  // namespace kith::storage
