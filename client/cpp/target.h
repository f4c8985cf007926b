// Where a server is, as users write it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kith::client {

// HOST:PORT as gRPC wants it, of kith://HOST:PORT too: Kith's port 50051 where none is given (gRPC's own default would
// be 443).
std::string WithPort(std::string target);

// INVALID_ARGUMENT where it is no HOST:PORT. gRPC would take any number for a port, and connect to another one. What
// begins with the name of one of gRPC's schemes (unix:, dns:, ipv4:, ...) is left to gRPC.
absl::Status CheckTarget(const std::string& target);

// Whether nobody else is on the way there.
bool IsThisMachine(absl::string_view target);

}  // namespace kith::client
