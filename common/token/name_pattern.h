// Which names of experiments a token is good for.
#pragma once

#include "absl/strings/string_view.h"

namespace kith::token {

// Whether the whole of `name` is of the pattern: `*` stands for any bytes, also none, `?` for any one character of
// UTF-8, everything else for itself. Takes no longer than the product of both lengths.
bool Matches(absl::string_view pattern, absl::string_view name);

}  // namespace kith::token
