// Calls in the log.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "server/telemetry/rpc_name.h"

namespace kith::telemetry {

// At level debug, so that nobody floods the log who sends what is wrong.
void LogFailedCall(Rpc rpc, absl::string_view call_id, absl::string_view why);

// One was ended. `others`: that were, and that no line told of.
void LogFloodingConnection(absl::string_view peer, int64_t others);

}  // namespace kith::telemetry
