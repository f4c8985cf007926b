#include "server/rpc/status.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

double Seconds(const google::rpc::RetryInfo& info) {
  return static_cast<double>(info.retry_delay().seconds()) + info.retry_delay().nanos() / 1e9;
}

struct Mapping {
  Reason reason;
  grpc::StatusCode code;
  std::string name;
};

const std::vector<Mapping>& Mappings() {
  static const auto* const mappings = new std::vector<Mapping>{
      {Reason::kInternal, grpc::INTERNAL, "INTERNAL"},
      {Reason::kExperimentNotFound, grpc::NOT_FOUND, "EXPERIMENT_NOT_FOUND"},
      {Reason::kNotTrained, grpc::FAILED_PRECONDITION, "NOT_TRAINED"},
      {Reason::kTrainingInProgress, grpc::ABORTED, "TRAINING_IN_PROGRESS"},
      {Reason::kDimensionMismatch, grpc::INVALID_ARGUMENT, "DIMENSION_MISMATCH"},
      {Reason::kBadBatch, grpc::INVALID_ARGUMENT, "BAD_BATCH"},
      {Reason::kNotFinite, grpc::INVALID_ARGUMENT, "NOT_FINITE"},
      {Reason::kEmptyBatch, grpc::INVALID_ARGUMENT, "EMPTY_BATCH"},
      {Reason::kBadParameter, grpc::INVALID_ARGUMENT, "BAD_PARAMETER"},
      {Reason::kRequestIdReused, grpc::ALREADY_EXISTS, "REQUEST_ID_REUSED"},
      {Reason::kOverloaded, grpc::RESOURCE_EXHAUSTED, "OVERLOADED"},
      {Reason::kMemoryBudget, grpc::RESOURCE_EXHAUSTED, "MEMORY_BUDGET"},
      {Reason::kLate, grpc::DEADLINE_EXCEEDED, "LATE"},
      {Reason::kStorage, grpc::UNAVAILABLE, "STORAGE"},
      {Reason::kShuttingDown, grpc::UNAVAILABLE, "SHUTTING_DOWN"},
      {Reason::kCancelled, grpc::CANCELLED, "CANCELLED"},
  };
  return *mappings;
}

TEST(StatusTest, EveryReasonHasItsCodeAndTravelsAsErrorInfoOfKith) {
  for (const Mapping& mapping : Mappings()) {
    const grpc::Status status = ToGrpc(Error(mapping.reason, "what was wrong; what to do"));
    EXPECT_EQ(status.error_code(), mapping.code) << mapping.name;
    EXPECT_EQ(status.error_message(), "what was wrong; what to do");
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(status.error_details())) << mapping.name;
    EXPECT_EQ(details.code(), mapping.code);
    const auto info = DetailOf<google::rpc::ErrorInfo>(details);
    ASSERT_TRUE(info) << mapping.name;
    EXPECT_EQ(info->reason(), mapping.name);
    EXPECT_EQ(info->domain(), "kith");
  }
}

TEST(StatusTest, ABlocksStatusSaysTheSame) {
  for (const Mapping& mapping : Mappings()) {
    const google::rpc::Status status = ToProto(Error(mapping.reason, "what was wrong"));
    EXPECT_EQ(status.code(), mapping.code);
    EXPECT_EQ(status.message(), "what was wrong");
    const auto info = DetailOf<google::rpc::ErrorInfo>(status);
    ASSERT_TRUE(info) << mapping.name;
    EXPECT_EQ(info->reason(), mapping.name);
  }
}

TEST(StatusTest, RetryInfoGoesWithResourceExhaustedAndUnavailableOnly) {
  for (const Mapping& mapping : Mappings()) {
    const bool wanted = mapping.code == grpc::RESOURCE_EXHAUSTED || mapping.code == grpc::UNAVAILABLE;
    const auto retry = DetailOf<google::rpc::RetryInfo>(ToProto(Error(mapping.reason, "")));
    EXPECT_EQ(retry.has_value(), wanted) << mapping.name;
    if (retry) {
      EXPECT_GT(Seconds(*retry), 0) << mapping.name;
    }
  }
}

TEST(StatusTest, RetryInfoHasTheDelayThatTheErrorNames) {
  const absl::Status status = WithRetryDelay(Error(Reason::kOverloaded, "busy"), absl::Milliseconds(2250));
  const auto retry = DetailOf<google::rpc::RetryInfo>(ToProto(status));
  ASSERT_TRUE(retry);
  EXPECT_DOUBLE_EQ(Seconds(*retry), 2.25);
}

TEST(StatusTest, ADamagedStoreIsDataLossAndNoReasonToTryAgain) {
  const absl::Status status = Error(absl::StatusCode::kDataLoss, Reason::kStorage, "index.faiss is damaged");
  EXPECT_EQ(ToGrpc(status).error_code(), grpc::DATA_LOSS);
  EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(ToProto(status)));
}

TEST(StatusTest, AnErrorWithoutAReasonIsAFaultOfTheServer) {
  for (const absl::Status& status : {absl::UnavailableError("odd"), absl::UnknownError("odd")}) {
    const google::rpc::Status proto = ToProto(status);
    EXPECT_EQ(proto.code(), grpc::INTERNAL);
    EXPECT_EQ(proto.message(), "odd");
    const auto info = DetailOf<google::rpc::ErrorInfo>(proto);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->reason(), "INTERNAL");
    EXPECT_FALSE(DetailOf<google::rpc::RetryInfo>(proto)) << "a fault does not pass by itself";
    EXPECT_EQ(ToGrpc(status).error_code(), grpc::INTERNAL);
  }
}

TEST(StatusTest, OkIsOkWithoutDetails) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_EQ(ToProto(absl::OkStatus()).code(), 0);
  EXPECT_EQ(ToProto(absl::OkStatus()).details_size(), 0);
}

}  // namespace
}  // namespace kith::rpc
