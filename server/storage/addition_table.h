// The tables `additions` and `addition_chunks`: rows added to a generation and not yet in a snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "server/retrieval/frames.h"
#include "server/storage/experiment_table.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// Values are cut into pieces of this size, the last one shorter: far below SQLite's limit for one blob (1e9 bytes).
inline constexpr size_t kChunkBytes = size_t{8} << 20;

struct Chunk {
  absl::Span<const char> data;  // somebody else's
  std::string sha256;           // lower-case hex
};

// The frames' values cut into chunks, with their digests: the slow part, done before the catalogue is locked.
std::vector<Chunk> CutIntoChunks(retrieval::FrameView frames);

// Called inside a transaction.
absl::Status InsertAddition(const Database& database, int64_t generation_id, int64_t first_id, int64_t rows,
                            const std::vector<Chunk>& chunks);

// Puts all that was added to `current` behind `frames`, which has the rows of its snapshot. DATA_LOSS STORAGE where an
// addition is missing or damaged.
absl::Status ReadAdditions(const Database& database, const CurrentGeneration& current, retrieval::Frames* frames);

}  // namespace kith::storage
