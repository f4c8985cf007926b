// What to say, and to do, when a server is not reached.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kith::client {

// UNAVAILABLE, with advice that goes with the cause. `why`: gRPC's own words, which name it at their end. `tls`: by
// TLS.
absl::Status NotReached(const std::string& target, bool tls, absl::string_view why);

}  // namespace kith::client
