#include "server/retrieval/frame_store.h"

#include <algorithm>

namespace kith::retrieval {

void FrameStore::Append(FrameView frames) {
  for (int64_t taken = 0; taken < frames.rows;) {
    if (rows_ % kRowsPerChunk == 0) chunks_.emplace_back().reserve(static_cast<size_t>(kRowsPerChunk) * dimension_);
    const int64_t count = std::min(kRowsPerChunk - rows_ % kRowsPerChunk, frames.rows - taken);
    const FrameView part = frames.Slice(taken, count);
    chunks_.back().insert(chunks_.back().end(), part.values().begin(), part.values().end());
    rows_ += count;
    taken += count;
  }
}

Frames FrameStore::Copy() const {
  Frames all{dimension_, {}};
  all.values.reserve(static_cast<size_t>(rows_) * dimension_);
  for (const std::vector<float>& chunk : chunks_) all.values.insert(all.values.end(), chunk.begin(), chunk.end());
  return all;
}

}  // namespace kith::retrieval
