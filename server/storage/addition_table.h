// The tables `additions` and `addition_chunks`: rows added to a generation and not yet in a snapshot.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/storage/chunks.h"
#include "server/storage/entries.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// Called inside a transaction.
absl::Status InsertAddition(const Database& database, int64_t generation_id, int64_t first_id, int64_t rows,
                            const std::vector<Chunk>& chunks);

// All that was added to the generation and is not in its snapshot, in order and without a gap. DATA_LOSS STORAGE where
// an addition is missing or its row damaged.
absl::StatusOr<std::vector<AdditionEntry>> ListAdditions(const Database& database, const StoredGeneration& generation);

// The values of an addition, as many as it has. DATA_LOSS STORAGE.
absl::Status ReadAddition(const Database& database, const AdditionEntry& entry, absl::Span<float> out);

// Forgets the additions whose first row is before `row`. Called inside a transaction.
absl::Status DeleteAdditionsBefore(const Database& database, int64_t generation_id, int64_t row);

}  // namespace kith::storage
