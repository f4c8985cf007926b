// The name of one call, for logs and errors.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>
#include <string_view>

#include "google/rpc/status.pb.h"

namespace kith::rpc {

inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr size_t kMaxCallIdBytes = 128;

// Whether a client may name its call so: 1 to 128 characters of visible ASCII.
bool IsCallId(std::string_view id);

// What the client has in the metadata x-request-id; where that is not as above, an id of our own: 16 hex digits, each
// time other ones. Cheap.
std::string CallIdOf(const grpc::CallbackServerContext& call);

// Adds the id to an error, as google.rpc.RequestInfo.
void AddCallId(const std::string& id, google::rpc::Status* status);

// The error that a call ends with, with its id; an OK as it is.
grpc::Status WithCallId(const grpc::Status& status, const std::string& id);

}  // namespace kith::rpc
