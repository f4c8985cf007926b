// What a client may read from a failed call besides its canonical code and its message.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kith {

// The server's stable reason, as "EXPERIMENT_NOT_FOUND"; empty where no server gave one.
std::string ErrorReason(const absl::Status& status);

// When the server asks to be tried again.
std::optional<absl::Duration> RetryDelay(const absl::Status& status);

// The id of the call that failed: the client's own, or the server's where the client gave none. The server's log has it
// too. Empty where no server answered.
std::string ErrorRequestId(const absl::Status& status);

// True when no server answered: none was there, or the connection broke. The error is UNAVAILABLE without a reason.
bool IsNotReached(const absl::Status& status);

}  // namespace kith
