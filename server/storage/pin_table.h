// The table `pins`: the experiments that are to be held in memory.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// False also for a damaged row: no voice is lost with a pin.
bool IsPinRow(std::string_view experiment, std::string_view checksum);

// Called inside a transaction; the experiment exists.
absl::Status PutPin(const Database& database, std::string_view experiment, bool pinned);

}  // namespace kith::storage
