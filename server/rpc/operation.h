// What a block of frames is for: Search or Expand. The unary calls and the streams share these.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kith/v1/retrieval.pb.h"
#include "server/base/clock.h"
#include "server/rpc/answer_room.h"
#include "server/rpc/block_trace.h"
#include "server/rpc/context.h"

namespace kith::rpc {

// How a block is to be handled, apart from its frames.
struct BlockOptions {
  std::string experiment;
  retrieval::SearchOptions search;
  retrieval::BlendParams blend;  // Expand only
};

// From the fields of a request; BAD_PARAMETER.
absl::StatusOr<BlockOptions> SearchBlockOptions(const std::string& experiment, const v1::SearchParams& params,
                                                const config::Limits& limits);
absl::StatusOr<BlockOptions> ExpandBlockOptions(const std::string& experiment, const v1::ExpandParams& params,
                                                const config::Limits& limits);

// When and for whom.
struct BlockCall {
  TimePoint deadline = kNoDeadline;
  uint64_t source = 0;  // SourceOf the call
  bool here = false;    // see engine::Job
  std::function<bool()> cancelled;
  BlockTrace* trace = nullptr;         // filled in before an OK is told; stays until `done`
  AnswerRoom::Part* answer = nullptr;  // taken before an OK is told; for who has the answer, to keep as long
  // Once; never where the block was refused. From another thread or, where `here` is, perhaps before the call returns.
  std::function<void(const absl::Status&)> done;
};

// Bytes of the answer to these frames: `k` ids and distances of each row, or a frame.
int64_t SearchAnswerBytes(const v1::FloatBatch& frames, int k);
int64_t ExpandAnswerBytes(const v1::FloatBatch& frames);

// Starts the block, loading the experiment first where it is not in memory, and returns at once; an error says that it
// was not started, and `call.done` will not be called. `frames` and `response` have to stay until call.done. Response:
// SearchResponse or StreamSearchResponse.
template <typename Response>
absl::Status StartSearch(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                         BlockCall call, Response* response);

// The same. Response: ExpandResponse or StreamExpandResponse.
template <typename Response>
absl::Status StartExpand(const Context& context, const BlockOptions& options, const v1::FloatBatch& frames,
                         BlockCall call, Response* response);

}  // namespace kith::rpc
