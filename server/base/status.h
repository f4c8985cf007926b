// Errors as every room speaks of them: a canonical code, a stable reason and a sentence for people.
//
// The reason travels inside absl::Status as a payload; server/rpc turns it into google.rpc.ErrorInfo. The sentence says
// what was wrong and what to do.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace kith {

// The reasons of the API (docs/errors: proto/kith/v1/retrieval.proto). They never change once released.
enum class Reason {
  kInternal,
  kExperimentNotFound,
  kNotTrained,
  kTrainingInProgress,
  kDimensionMismatch,
  kBadBatch,
  kNotFinite,
  kEmptyBatch,
  kBadParameter,
  kBadIndex,
  kRequestIdReused,
  kOverloaded,
  kMemoryBudget,
  kLate,
  kStorage,
  kShuttingDown,
  kCancelled,
  kUnauthenticated,
  kPermissionDenied,
  kRateLimited,
};

// UPPER_SNAKE, as clients see it: "EXPERIMENT_NOT_FOUND".
std::string_view ReasonName(Reason reason);

// An error whose code follows from its reason (the table in Kith's contract): kExperimentNotFound gives NOT_FOUND.
absl::Status Error(Reason reason, std::string_view message);

// The same with another code, for the reasons that have two (TRAINING_IN_PROGRESS is ABORTED for a Train and
// FAILED_PRECONDITION for an Add; STORAGE is UNAVAILABLE or DATA_LOSS).
absl::Status Error(absl::StatusCode code, Reason reason, std::string_view message);

// MEMORY_BUDGET, for a request that ran into std::bad_alloc.
absl::Status OutOfMemory();

// The reason's name as stored in `status`; empty where it has none.
std::string ReasonOf(const absl::Status& status);

// Says when a client may try again; kept in the status.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

}  // namespace kith
