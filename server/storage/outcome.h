// Commits of which nobody knows whether they are durable.
#pragma once

#include "absl/status/status.h"

namespace kith::storage {

// True for the error of a commit whose last sync failed: all of the transaction was written, so that after a crash it
// may be found committed. What it speaks of must not be removed.
bool OutcomeUnknown(const absl::Status& status);

absl::Status WithUnknownOutcome(absl::Status status);

}  // namespace kith::storage
