// The Python dict literal in a .npy header.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::npy {

struct HeaderDict {
  std::string descr;  // "<f4"; "[" for a structured dtype, which numpy writes as a list
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

// Takes what numpy accepts: the three keys in any order, spaces anywhere, either quote, a comma behind the last item,
// and Python 2's 149L. Anything else is INVALID_ARGUMENT that says at which byte of `text`.
absl::StatusOr<HeaderDict> ParseHeaderDict(absl::string_view text);

}  // namespace kith::npy
