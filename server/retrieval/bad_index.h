// How the checks of an index file end.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kith::retrieval {

// BAD_INDEX.
absl::Status BadIndex(absl::string_view why);

// Thrown by what stands below, and by the checks that use it, out of as many calls as there are.
struct WrongIndex : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Runs `checks`; a WrongIndex that they throw becomes BAD_INDEX.
absl::Status Checked(absl::FunctionRef<void()> checks);

// INTERNAL, which is what an exception of faiss is otherwise (guard.h), as BAD_INDEX, for calls that fail only where a
// file is damaged in a way that no check knows. Any other status as it is.
absl::Status InternalAsBadIndex(const absl::Status& status);

// Unless it holds, the index is damaged: `what`.
void Require(bool holds, const char* what);

// Every value is finite, and not so large that its square overflows.
void RequireFinite(const float* values, size_t count, const char* what);
void RequireFinite(const std::vector<float>& values, const char* what);

// The index is of a type that cannot be imported.
[[noreturn]] void Unsupported();

}  // namespace kith::retrieval
