#include "server/retrieval/frame_chunks.h"

#include <algorithm>

namespace kith::retrieval {

void FrameChunks::Append(FrameView frames, absl::Span<const int64_t> /*lists*/) {
  for (int64_t taken = 0; taken < frames.rows;) {
    if (rows_ % kRowsPerChunk == 0) chunks_.emplace_back().reserve(static_cast<size_t>(kRowsPerChunk) * dimension_);
    const int64_t count = std::min(kRowsPerChunk - rows_ % kRowsPerChunk, frames.rows - taken);
    const FrameView part = frames.Slice(taken, count);
    chunks_.back().insert(chunks_.back().end(), part.values().begin(), part.values().end());
    rows_ += count;
    taken += count;
  }
}

}  // namespace kith::retrieval
