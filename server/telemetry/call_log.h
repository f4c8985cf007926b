// Calls in the log.
#pragma once

#include "absl/strings/string_view.h"
#include "server/telemetry/rpc_name.h"

namespace kith::telemetry {

// At level debug, so that nobody floods the log who sends what is wrong.
void LogFailedCall(Rpc rpc, absl::string_view call_id, absl::string_view why);

}  // namespace kith::telemetry
