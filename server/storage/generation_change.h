// What is done to an experiment's generations. Each function is called inside a transaction of the SQLite catalogue,
// which its caller commits.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/storage/catalogue.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// As Catalogue::Commit, without the request; `former` is the experiment as it stands.
absl::StatusOr<Changed> AddGeneration(const Database& database, std::string_view name,
                                      const std::optional<StoredExperiment>& former, const GenerationInfo& generation,
                                      const SnapshotEntry& snapshot, int keep);

// As Catalogue::Rollback.
absl::StatusOr<ExperimentRecord> MakeCurrent(const Database& database, std::string_view name, std::optional<int64_t> to,
                                             absl::Time now);

// As Catalogue::Fold.
absl::StatusOr<Changed> FoldGeneration(const Database& database, std::string_view name,
                                       const StoredGeneration& generation, int64_t rows, const SnapshotEntry& snapshot);

// As Catalogue::Forget.
absl::Status ForgetGenerations(const Database& database, const StoredExperiment& experiment,
                               const std::set<int64_t>& generations, absl::Time now);

}  // namespace kith::storage
