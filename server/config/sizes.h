// Amounts of memory and disk as people write them.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"

namespace kith::config {

// A whole number of bytes, or of KiB, MiB, GiB or TiB: "65536", "64KiB", "64 KiB".
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

// Such a number, kLeastBudget at least, or a percentage from 1% to 100%.
absl::StatusOr<Memory::Budget> ParseBudget(absl::string_view text);

}  // namespace kith::config
