// What a message of a client's counts as.
#pragma once

#include <cstdint>

#include "kith/v1/experiments.pb.h"
#include "kith/v1/retrieval.pb.h"
#include "server/auth/account.h"

namespace kith::rpc {

// Whole rows, without looking at the values; 0 of what has none.
inline int64_t RowsOf(const v1::FloatBatch& frames) {
  if (frames.dimension() < 1) return 0;
  const auto values = static_cast<int64_t>(frames.raw().size() / sizeof(float)) + frames.values_size();
  return values / frames.dimension();
}

// Of any message with frames.
template <typename Request>
auth::Cost CostOf(const Request& request, int64_t requests = 1) {
  return {requests, RowsOf(request.frames()), static_cast<int64_t>(request.ByteSizeLong())};
}
// Of a piece of a file.
inline auth::Cost CostOf(const v1::ImportRequest& request, int64_t requests) {
  return {requests, 0, static_cast<int64_t>(request.ByteSizeLong())};
}
inline auth::Cost CostOf(const v1::RestoreRequest& request, int64_t requests) {
  return {requests, 0, static_cast<int64_t>(request.ByteSizeLong())};
}

}  // namespace kith::rpc
