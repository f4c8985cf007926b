// Who sent a call, for a fair share of the workers.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <functional>
#include <string>

namespace kith::rpc {

// The connection that the call came by: the calls and streams of one client count together, however many it opens.
inline uint64_t SourceOf(const grpc::CallbackServerContext& call) { return std::hash<std::string>()(call.peer()); }

}  // namespace kith::rpc
