#include "server/base/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kith {
namespace {

constexpr char kReasonUrl[] = "kith/reason";
constexpr char kRetryUrl[] = "kith/retry-milliseconds";

// Debian's absl has a string_view type of its own.
absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }

struct ReasonEntry {
  std::string_view name;
  absl::StatusCode code;
};

ReasonEntry EntryOf(Reason reason) {
  switch (reason) {
    case Reason::kInternal:
      return {"INTERNAL", absl::StatusCode::kInternal};
    case Reason::kExperimentNotFound:
      return {"EXPERIMENT_NOT_FOUND", absl::StatusCode::kNotFound};
    case Reason::kNotTrained:
      return {"NOT_TRAINED", absl::StatusCode::kFailedPrecondition};
    case Reason::kTrainingInProgress:
      return {"TRAINING_IN_PROGRESS", absl::StatusCode::kAborted};
    case Reason::kDimensionMismatch:
      return {"DIMENSION_MISMATCH", absl::StatusCode::kInvalidArgument};
    case Reason::kBadBatch:
      return {"BAD_BATCH", absl::StatusCode::kInvalidArgument};
    case Reason::kNotFinite:
      return {"NOT_FINITE", absl::StatusCode::kInvalidArgument};
    case Reason::kEmptyBatch:
      return {"EMPTY_BATCH", absl::StatusCode::kInvalidArgument};
    case Reason::kBadParameter:
      return {"BAD_PARAMETER", absl::StatusCode::kInvalidArgument};
    case Reason::kBadIndex:
      return {"BAD_INDEX", absl::StatusCode::kInvalidArgument};
    case Reason::kRequestIdReused:
      return {"REQUEST_ID_REUSED", absl::StatusCode::kAlreadyExists};
    case Reason::kOverloaded:
      return {"OVERLOADED", absl::StatusCode::kResourceExhausted};
    case Reason::kMemoryBudget:
      return {"MEMORY_BUDGET", absl::StatusCode::kResourceExhausted};
    case Reason::kLate:
      return {"LATE", absl::StatusCode::kDeadlineExceeded};
    case Reason::kStorage:
      return {"STORAGE", absl::StatusCode::kUnavailable};
    case Reason::kShuttingDown:
      return {"SHUTTING_DOWN", absl::StatusCode::kUnavailable};
    case Reason::kCancelled:
      return {"CANCELLED", absl::StatusCode::kCancelled};
    case Reason::kUnauthenticated:
      return {"UNAUTHENTICATED", absl::StatusCode::kUnauthenticated};
    case Reason::kPermissionDenied:
      return {"PERMISSION_DENIED", absl::StatusCode::kPermissionDenied};
    case Reason::kRateLimited:
      return {"RATE_LIMITED", absl::StatusCode::kResourceExhausted};
  }
  return {"INTERNAL", absl::StatusCode::kInternal};
}

}  // namespace

std::string_view ReasonName(Reason reason) { return EntryOf(reason).name; }

absl::Status Error(Reason reason, std::string_view message) { return Error(EntryOf(reason).code, reason, message); }

absl::Status Error(absl::StatusCode code, Reason reason, std::string_view message) {
  absl::Status status(code, AbslView(message));
  status.SetPayload(kReasonUrl, absl::Cord(AbslView(ReasonName(reason))));
  return status;
}

absl::Status OutOfMemory() {
  return Error(Reason::kMemoryBudget,
               "the server has not enough memory for this; send less at once, or try again later");
}

std::string ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonUrl);
  return payload ? std::string(*payload) : std::string();
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(delay))));
  return status;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kRetryUrl);
  int64_t milliseconds = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) return std::nullopt;
  return absl::Milliseconds(milliseconds);
}

}  // namespace kith
