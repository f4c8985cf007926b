// Bytes on their way to and from a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace kith::storage {

// Takes the next bytes. After an error every further call gives the same error.
using ByteSink = absl::FunctionRef<absl::Status(absl::Span<const char>)>;

// Fills the front of the buffer with the next bytes and says how many there were; 0 only at the end.
using ByteSource = absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)>;

// Bytes written so far, and in all; total 0: not known.
using Progress = std::function<void(int64_t done, int64_t total)>;

}  // namespace kith::storage
