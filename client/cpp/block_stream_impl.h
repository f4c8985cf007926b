// How a stream is opened: the gRPC side of block_stream.h.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/block_stream.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "kith/v1/retrieval.pb.h"

namespace kith::client {

// Sends the opening; Result is ExpandResult or SearchResult.
template <typename Result>
absl::StatusOr<std::unique_ptr<BlockStream<Result>>> OpenStream(std::shared_ptr<Connection> connection,
                                                                const v1::StreamOpen& open, const CallOptions& call);

}  // namespace kith::client
