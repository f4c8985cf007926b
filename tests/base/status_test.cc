#include "server/base/status.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kith {
namespace {

struct Row {
  Reason reason;
  std::string name;
  absl::StatusCode code;
};

// The table of the API's contract.
TEST(Error, EveryReasonHasItsNameAndCode) {
  const std::vector<Row> table = {
      {Reason::kInternal, "INTERNAL", absl::StatusCode::kInternal},
      {Reason::kExperimentNotFound, "EXPERIMENT_NOT_FOUND", absl::StatusCode::kNotFound},
      {Reason::kNotTrained, "NOT_TRAINED", absl::StatusCode::kFailedPrecondition},
      {Reason::kTrainingInProgress, "TRAINING_IN_PROGRESS", absl::StatusCode::kAborted},
      {Reason::kDimensionMismatch, "DIMENSION_MISMATCH", absl::StatusCode::kInvalidArgument},
      {Reason::kBadBatch, "BAD_BATCH", absl::StatusCode::kInvalidArgument},
      {Reason::kNotFinite, "NOT_FINITE", absl::StatusCode::kInvalidArgument},
      {Reason::kEmptyBatch, "EMPTY_BATCH", absl::StatusCode::kInvalidArgument},
      {Reason::kBadParameter, "BAD_PARAMETER", absl::StatusCode::kInvalidArgument},
      {Reason::kBadIndex, "BAD_INDEX", absl::StatusCode::kInvalidArgument},
      {Reason::kRequestIdReused, "REQUEST_ID_REUSED", absl::StatusCode::kAlreadyExists},
      {Reason::kOverloaded, "OVERLOADED", absl::StatusCode::kResourceExhausted},
      {Reason::kMemoryBudget, "MEMORY_BUDGET", absl::StatusCode::kResourceExhausted},
      {Reason::kLate, "LATE", absl::StatusCode::kDeadlineExceeded},
      {Reason::kStorage, "STORAGE", absl::StatusCode::kUnavailable},
      {Reason::kShuttingDown, "SHUTTING_DOWN", absl::StatusCode::kUnavailable},
      {Reason::kCancelled, "CANCELLED", absl::StatusCode::kCancelled},
      {Reason::kUnauthenticated, "UNAUTHENTICATED", absl::StatusCode::kUnauthenticated},
      {Reason::kPermissionDenied, "PERMISSION_DENIED", absl::StatusCode::kPermissionDenied},
      {Reason::kRateLimited, "RATE_LIMITED", absl::StatusCode::kResourceExhausted},
  };
  for (const Row& row : table) {
    const absl::Status status = Error(row.reason, "what was wrong");
    EXPECT_EQ(status.code(), row.code) << row.name;
    EXPECT_EQ(status.message(), "what was wrong") << row.name;
    EXPECT_EQ(ReasonOf(status), row.name);
    EXPECT_TRUE(ReasonName(row.reason) == row.name.c_str()) << row.name;
  }
}

TEST(Error, MayHaveAnotherCode) {
  const absl::Status status = Error(absl::StatusCode::kDataLoss, Reason::kStorage, "checksum");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ReasonOf(status), "STORAGE");
}

TEST(ReasonOf, EmptyWhereThereIsNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), "");
  EXPECT_EQ(ReasonOf(absl::InternalError("other")), "");
}

TEST(RetryDelay, TravelsWithTheReason) {
  const absl::Status status = WithRetryDelay(Error(Reason::kOverloaded, "full"), absl::Milliseconds(250));
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  ASSERT_TRUE(RetryDelayOf(status).has_value());
  EXPECT_EQ(*RetryDelayOf(status), absl::Milliseconds(250));
}

TEST(RetryDelay, NoneWhereNoneWasSet) { EXPECT_FALSE(RetryDelayOf(Error(Reason::kOverloaded, "full")).has_value()); }

}  // namespace
}  // namespace kith
