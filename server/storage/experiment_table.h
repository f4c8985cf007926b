// The table `experiments`, read together with what hangs on it. The functions that write are called inside a
// transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/storage/entries.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// All of them in the order of the names' bytes.
absl::StatusOr<std::vector<StoredExperiment>> ListExperiments(const Database& database);

absl::StatusOr<std::optional<StoredExperiment>> FindExperiment(const Database& database, std::string_view name);

// Adds the row or writes it anew; `current` is the number of its current generation.
absl::Status PutExperiment(const Database& database, std::string_view name, int64_t current, absl::Time created);

// With all that hangs on it.
absl::Status DeleteExperiment(const Database& database, std::string_view name);

}  // namespace kith::storage
