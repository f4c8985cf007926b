// The frames of an experiment in memory, as they were given: what Expand blends and what a retraining starts from.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/frames.h"

namespace kith::retrieval {

// Grows by appending and never moves a row to do so: they lie in chunks, allocated whole (untouched memory costs
// nothing). Row i is the frame with id i. Not thread-safe: Index guards it.
class FrameStore {
 public:
  explicit FrameStore(int dimension) : dimension_(dimension) {}

  void Append(FrameView frames);

  const float* Row(int64_t id) const { return chunks_[id / kRowsPerChunk].data() + (id % kRowsPerChunk) * dimension_; }
  int64_t rows() const { return rows_; }
  int dimension() const { return dimension_; }
  int64_t bytes() const { return rows_ * dimension_ * static_cast<int64_t>(sizeof(float)); }  // touched

  Frames Copy() const;

 private:
  static constexpr int64_t kRowsPerChunk = 1024;

  int dimension_;
  int64_t rows_ = 0;
  std::vector<std::vector<float>> chunks_;  // all but the last hold kRowsPerChunk rows
};

}  // namespace kith::retrieval
