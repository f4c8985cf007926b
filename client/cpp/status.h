// gRPC's two forms of an error to absl::Status. The details travel as payloads under their type URLs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace kith::client {

// Of a call to `target`, which stands in the message of errors that gRPC made itself.
absl::Status FromGrpc(const grpc::Status& status, const std::string& target);

// Of one block in a stream.
absl::Status FromRpcStatus(const google::rpc::Status& status);

// An error found before anything was sent, with the reason that the server would give.
absl::Status LocalError(absl::StatusCode code, const std::string& reason, const std::string& message);

// Whether a message was refused for its size (limits.message_bytes), which gRPC does by itself, in its own words.
bool IsMessageTooLarge(const absl::Status& status);

}  // namespace kith::client
