// Frames in memory of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/frame_store.h"

namespace kith::retrieval {

// Grows by appending and never moves a row to do so: they lie in chunks, allocated whole (untouched memory costs
// nothing).
class FrameChunks : public FrameStore {
 public:
  explicit FrameChunks(int dimension) : dimension_(dimension) {}

  void Append(FrameView frames, absl::Span<const int64_t> lists) override;
  const float* Row(int64_t id) const override {
    return chunks_[id / kRowsPerChunk].data() + (id % kRowsPerChunk) * dimension_;
  }
  int64_t rows() const override { return rows_; }
  int64_t bytes() const override { return rows_ * dimension_ * static_cast<int64_t>(sizeof(float)); }  // touched

 private:
  static constexpr int64_t kRowsPerChunk = 1024;

  const int dimension_;
  int64_t rows_ = 0;
  std::vector<std::vector<float>> chunks_;  // all but the last hold kRowsPerChunk rows
};

}  // namespace kith::retrieval
