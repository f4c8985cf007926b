// How an error leaves the server.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace kith::rpc {

// The status with its reason as google.rpc.ErrorInfo (domain "kith") and its retry delay, if any, as
// google.rpc.RetryInfo. An error without a reason is a fault of ours: INTERNAL.
google::rpc::Status ToProto(const absl::Status& status);

// The same as the end of a call.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace kith::rpc
