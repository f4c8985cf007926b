#include "server/rpc/status.h"

#include <grpcpp/support/error_details.h>

#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "server/base/status.h"

namespace kith::rpc {
namespace {

// RESOURCE_EXHAUSTED and UNAVAILABLE always say when to try again.
constexpr absl::Duration kDefaultRetryDelay = absl::Seconds(1);

bool WantsRetryDelay(int code) { return code == grpc::RESOURCE_EXHAUSTED || code == grpc::UNAVAILABLE; }

}  // namespace

google::rpc::Status ToProto(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(status.code()));
  if (status.ok()) return proto;
  proto.set_message(std::string(status.message()));
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOf(status));
  if (info.reason().empty()) {
    info.set_reason(std::string(ReasonName(Reason::kInternal)));
    proto.set_code(static_cast<int>(absl::StatusCode::kInternal));
  }
  info.set_domain("kith");
  proto.add_details()->PackFrom(info);
  if (WantsRetryDelay(proto.code())) {
    const absl::Duration delay = RetryDelayOf(status).value_or(kDefaultRetryDelay);
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(delay));
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(delay - absl::Seconds(absl::ToInt64Seconds(delay)))));
    proto.add_details()->PackFrom(retry);
  }
  return proto;
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  grpc::Status result;
  grpc::SetErrorDetails(ToProto(status), &result);
  return result;
}

}  // namespace kith::rpc
