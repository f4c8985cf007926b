// Index files that somebody else wrote, such as RVC's added_*.index.
//
// faiss may end the process on a hostile file. UnpackIndex is therefore for a process of its own, with limits; what it
// leaves behind is what AdoptIndex takes in the server.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recall.h"

namespace kith::retrieval {

// What UnpackIndex writes into its folder.
inline constexpr char kUnpackedIndex[] = "index.faiss";  // as faiss writes it, without an id map
inline constexpr char kUnpackedFrames[] = "frames.f32";  // float32 [rows, dimension], row i has id i
inline constexpr char kUnpackedShape[] = "shape";        // "ROWS DIMENSION"

// Reads the faiss index in `file`, checks all of it, rebuilds its vectors, searches a few of them, and writes it into
// `folder`, which exists. BAD_INDEX where it is none, is damaged, holds nothing, or is of a type without support;
// MEMORY_BUDGET where its frames would take more than `max_frame_bytes`, or there is no memory for it; STORAGE where it
// cannot be written.
absl::Status UnpackIndex(const std::string& file, const std::string& folder, int64_t max_frame_bytes);

struct UnpackedShape {
  int64_t rows = 0;
  int dimension = 0;
};

// From the text of kUnpackedShape; BAD_INDEX where it is none.
absl::StatusOr<UnpackedShape> ParseUnpackedShape(std::string_view text);

// The nprobe that a file name tells, as RVC's added_IVF185_Flat_nprobe_1_NAME_v2.index.
std::optional<int> NprobeInName(std::string_view file_name);

// The index in `source` (see ReadIndex; kUnpackedIndex) over `frames`, with the metric, nprobe and k_factor that it has
// itself; `nprobe` is for an index that has none. It is checked again, and its recall measured as after a training.
// BAD_INDEX for whatever is wrong with it; MEMORY_BUDGET; CANCELLED where the observer said so; the source's own
// errors.
absl::StatusOr<std::unique_ptr<Index>> AdoptIndex(absl::FunctionRef<absl::StatusOr<size_t>(absl::Span<char>)> source,
                                                  FrameView frames, std::optional<int> nprobe,
                                                  std::string source_sha256, StepObserver observe);

}  // namespace kith::retrieval
