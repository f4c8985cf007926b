// The values of an addition, cut into pieces that are stored one by one.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "server/retrieval/frames.h"

namespace kith::storage {

// SHA-256 in lower-case hex.
std::string DigestOf(absl::Span<const char> bytes);

// Values are cut into pieces of this size, the last one shorter: far below SQLite's limit for one blob (1e9 bytes).
inline constexpr size_t kChunkBytes = size_t{8} << 20;

struct Chunk {
  absl::Span<const char> data;  // somebody else's
  std::string sha256;           // lower-case hex
};

// The frames' values cut into chunks, with their digests: the slow part, done before the catalogue is locked.
std::vector<Chunk> CutIntoChunks(retrieval::FrameView frames);

}  // namespace kith::storage
