// The tables `experiments` and `generations`, row by row. The functions that write are called inside a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/storage/records.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// A snapshot as the catalogue refers to it.
struct SnapshotEntry {
  std::string folder;  // its name, not its path
  std::string manifest_sha256;
  int64_t bytes = 0;  // all files
};

// An experiment with its current generation. With a bad record.status nothing but record.name counts.
struct CurrentGeneration {
  int64_t id = 0;  // generations.id
  SnapshotEntry snapshot;
  std::string recipe;  // JSON as stored, which another version may have written
  std::string report;  // the same
  ExperimentRecord record;
};

// All of them in the order of the names' bytes.
absl::StatusOr<std::vector<CurrentGeneration>> ListCurrent(const Database& database);

absl::StatusOr<std::optional<CurrentGeneration>> FindCurrent(const Database& database, std::string_view name);

// The snapshots of one experiment, damaged rows included.
absl::StatusOr<std::vector<std::string>> SnapshotsOf(const Database& database, std::string_view name);

// Puts the generation in place of those that the experiment has, whose additions go with them. `created` is the
// experiment's.
absl::Status ReplaceGenerations(const Database& database, std::string_view name, absl::Time created,
                                const GenerationInfo& generation, const SnapshotEntry& snapshot);

// Sets total_rows and updated of a generation that FindCurrent gave.
absl::Status UpdateTotalRows(const Database& database, const CurrentGeneration& current, int64_t total_rows,
                             absl::Time updated);

// With all that hangs on it.
absl::Status DeleteExperiment(const Database& database, std::string_view name);

}  // namespace kith::storage
