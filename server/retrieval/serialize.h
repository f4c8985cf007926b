// An index as bytes: exactly what faiss's write_index puts into a file.
#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Gives the index's bytes to `sink`, piece by piece. A failing sink ends it, with the sink's status.
absl::Status WriteIndex(const Index& index, absl::FunctionRef<absl::Status(absl::Span<const char>)> sink);

// Reads what WriteIndex wrote. `source` fills the front of the buffer and says how many bytes there were; 0 at the end.
// `frames` are those in the index. DATA_LOSS where the bytes are not an index that fits frames, metric and report. The
// bytes must come from a file that is known to be whole: faiss may end the process on hostile ones.
absl::StatusOr<std::unique_ptr<Index>> ReadIndex(absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source,
                                                 FrameView frames, Metric metric, const BuildReport& report);

// The faiss index alone, for `rows` frames of `dimension` values. BAD_INDEX where the bytes are none that fits, or one
// with its lists in another file; MEMORY_BUDGET; the source's own errors.
absl::StatusOr<std::unique_ptr<faiss::Index>> ReadFaissIndex(
    absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source, int64_t rows, int dimension);

}  // namespace kith::retrieval
