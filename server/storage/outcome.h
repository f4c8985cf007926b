// Commits of which nobody knows whether they are durable.
#pragma once

#include "absl/status/status.h"

namespace kith::storage {

// True for the error of a commit whose last sync failed, where the transaction could not be taken out of the log
// either: after a crash it may be found committed. What it speaks of must not be removed. No other transaction begins
// before it is out.
bool OutcomeUnknown(const absl::Status& status);

absl::Status WithUnknownOutcome(absl::Status status);
absl::Status WithKnownOutcome(absl::Status status);

}  // namespace kith::storage
