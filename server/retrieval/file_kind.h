// What people give for an index by mistake.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kith::retrieval {

// OK where `file` begins as a faiss index of float vectors does; otherwise BAD_INDEX that says what it looks like and
// what to do.
absl::Status CheckFileKind(const std::string& file);

}  // namespace kith::retrieval
