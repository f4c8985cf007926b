// Many additions in one transaction of the SQLite catalogue.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/storage/catalogue.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// One answer each, as Catalogue::Append; each addition has a savepoint, so that one that fails leaves the others whole.
std::vector<absl::StatusOr<AddRecord>> AppendGroup(Database& database,
                                                   absl::Span<const PreparedAddition* const> additions, absl::Time now);

}  // namespace kith::storage
