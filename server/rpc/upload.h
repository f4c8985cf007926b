// The frames of a Train or an Add, gathered from its messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "kith/v1/types.pb.h"
#include "server/base/checksum.h"
#include "server/experiments/memory_budget.h"
#include "server/retrieval/frames.h"
#include "server/storage/records.h"

namespace kith::rpc {

// Not thread-safe.
class Upload {
 public:
  // Takes the rows of one message. As FramesOf, rows counted over the whole upload; DIMENSION_MISMATCH where the
  // dimension is not that of the messages before; MEMORY_BUDGET where there is no room for them.
  absl::Status Append(const v1::FloatBatch& batch, experiments::MemoryBudget* budget);

  const retrieval::Frames& frames() const { return frames_; }
  retrieval::Frames TakeFrames() { return std::move(frames_); }
  experiments::MemoryBudget::Reservation TakeMemory() { return std::move(memory_); }  // of the frames
  int64_t rows() const { return frames_.rows(); }

  // The client's request id with a digest of `what` (whatever else the request says) and the frames; nothing without an
  // id.
  std::optional<storage::Request> RequestOf(const std::string& id, const std::string& what) const;

 private:
  experiments::MemoryBudget::Reservation memory_;
  retrieval::Frames frames_;
};

}  // namespace kith::rpc
