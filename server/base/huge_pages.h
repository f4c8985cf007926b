// Memory on huge pages: what is read here and there needs an entry of the processor's address cache for every 2 MiB
// instead of every 4 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace kith {

inline constexpr size_t kHugePage = size_t{2} << 20;

// Moves what lies on each aligned kHugePage of addresses onto one huge page, where `pieces` of this process's memory
// fill at least three quarters of it. They keep their addresses and contents, and may be read meanwhile. Takes about a
// millisecond for each. Returns how many bytes are on huge pages now: none where the system knows none (Linux before
// 6.1 cannot be told to move at once), its administrator wants none, or it has none to give.
int64_t PutOnHugePages(const std::vector<absl::Span<const char>>& pieces);

}  // namespace kith
