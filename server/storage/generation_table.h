// The table `generations` with the reigns that belong to it. The functions that write are called inside a transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/storage/entries.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// Hands over each kept generation of each experiment, or of the one named: by experiment, then the one that became
// current last first; record.current is left false. Damaged rows, and those without a sound reign, have a bad status.
absl::Status ReadGenerations(const Database& database, std::optional<std::string_view> experiment,
                             absl::FunctionRef<void(std::string_view experiment, StoredGeneration)> take);

// Puts a new row in, without a reign, and gives its id: snapshot, recipe, report and record count.
absl::StatusOr<int64_t> InsertGeneration(const Database& database, std::string_view experiment,
                                         const StoredGeneration& generation);

// Writes the row anew: snapshot, rows, total_rows and updated are what may have changed.
absl::Status UpdateGeneration(const Database& database, std::string_view experiment,
                              const StoredGeneration& generation);

// With its additions and its reign.
absl::Status DeleteGeneration(const Database& database, int64_t id);

// All of an experiment.
absl::Status DeleteGenerations(const Database& database, std::string_view experiment);

}  // namespace kith::storage
