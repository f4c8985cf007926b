// Reading one generation whole.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "server/storage/catalogue.h"
#include "server/storage/snapshot_store.h"

namespace kith::storage {

// See Store::Load.
using IndexReader = absl::FunctionRef<absl::Status(const GenerationInfo&, retrieval::FrameView, ByteSource)>;

// All rows of the generation, those added included, everything checked against its checksum. `snapshot` is the
// generation's.
absl::StatusOr<retrieval::Frames> ReadGeneration(const CatalogueView& view, const StoredGeneration& generation,
                                                 Snapshot& snapshot, IndexReader read_index);

// Reads what was added to the generation, one addition after the other, and checks it.
absl::Status CheckAdditions(const CatalogueView& view, const StoredGeneration& generation);

}  // namespace kith::storage
