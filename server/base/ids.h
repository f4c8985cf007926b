// Names: those that people give to experiments, and those that the server gives to folders.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kith {

inline constexpr size_t kMaxNameBytes = 128;

// OK for a name that an experiment may have: 1 to 128 bytes of UTF-8, no control characters, no '/'. Otherwise
// BAD_PARAMETER that says which rule it breaks.
absl::Status CheckExperimentName(std::string_view name);

// 128 random bits in hex, 32 characters: a name for a folder. Thread-safe.
std::string RandomId();

}  // namespace kith
