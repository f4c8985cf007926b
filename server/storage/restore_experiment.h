// Putting an experiment of another catalogue in.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "server/storage/catalogue.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// As Catalogue::Restore. Called inside a transaction, which its caller commits.
absl::StatusOr<Changed> RestoreExperiment(const Database& database, const CatalogueView& from,
                                          const StoredExperiment& experiment,
                                          const std::vector<SnapshotEntry>& snapshots, bool replace);

}  // namespace kith::storage
