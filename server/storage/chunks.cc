#include "server/storage/chunks.h"

#include <algorithm>

#include "server/base/checksum.h"

namespace kith::storage {

std::string DigestOf(absl::Span<const char> bytes) {
  Sha256 sha256;
  sha256.Update(bytes.data(), bytes.size());
  return sha256.Finish();
}

std::vector<Chunk> CutIntoChunks(retrieval::FrameView frames) {
  std::vector<Chunk> chunks;
  absl::Span<const char> rest(reinterpret_cast<const char*>(frames.data), frames.size() * sizeof(float));
  while (!rest.empty()) {
    const absl::Span<const char> piece = rest.first(std::min(rest.size(), kChunkBytes));
    chunks.push_back({piece, DigestOf(piece)});
    rest.remove_prefix(piece.size());
  }
  return chunks;
}

}  // namespace kith::storage
