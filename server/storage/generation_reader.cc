#include "server/storage/generation_reader.h"

#include <vector>

#include "absl/types/span.h"

namespace kith::storage {
namespace {

// Puts all that was added to the generation behind `frames`, which has the rows of its snapshot.
absl::Status ReadAdditions(const CatalogueView& view, const StoredGeneration& generation, retrieval::Frames* frames) {
  const auto entries = view.Additions(generation);
  if (!entries.ok()) return entries.status();
  const auto dimension = static_cast<size_t>(frames->dimension);
  frames->values.resize(static_cast<size_t>(generation.record.total_rows) * dimension);
  for (const AdditionEntry& entry : *entries) {
    const absl::Span<float> values(frames->values.data() + entry.first_id * dimension, entry.rows * dimension);
    const absl::Status status = view.ReadAddition(entry, values);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<retrieval::Frames> ReadGeneration(const CatalogueView& view, const StoredGeneration& generation,
                                                 Snapshot& snapshot, IndexReader read_index) {
  const GenerationInfo& info = generation.record.info;
  auto frames = snapshot.ReadFrames(info, generation.record.total_rows);
  if (!frames.ok()) return frames;
  absl::Status status = ReadAdditions(view, generation, &*frames);
  if (status.ok()) {
    status = snapshot.ReadIndex(
        [&](ByteSource source) { return read_index(info, frames->view().Slice(0, info.rows), source); });
  }
  if (!status.ok()) return status;
  return frames;
}

absl::Status CheckAdditions(const CatalogueView& view, const StoredGeneration& generation) {
  const auto entries = view.Additions(generation);
  if (!entries.ok()) return entries.status();
  std::vector<float> values;
  for (const AdditionEntry& entry : *entries) {
    values.resize(static_cast<size_t>(entry.rows) * generation.record.info.dimension);
    if (absl::Status status = view.ReadAddition(entry, absl::MakeSpan(values)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace kith::storage
