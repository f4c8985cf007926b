// What a recipe does to the frames before the index is built over them: compression first, then expansion of what is
// left. In this order an expansion costs rows^2 of the few centres instead of the many frames, and what is stored are
// the expanded rows themselves, not means of them.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "server/retrieval/build.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// How many of `rows` frames are left. BAD_PARAMETER as CheckRecipe, and where there are more centres than rows, or more
// neighbours than there are rows after the compression.
absl::StatusOr<int64_t> PreparedRows(const Recipe& recipe, int64_t rows);

// The frames to store and to index instead of `frames` (finite); nothing where the recipe leaves them as they are. Runs
// in the calling thread and with its number of OpenMP threads; deterministic for a seed and a number of threads.
//
// BAD_PARAMETER as PreparedRows; NOT_FINITE for a row with a norm above kMaxNorm (normalize.h); CANCELLED where the
// observer said so; MEMORY_BUDGET where there was no memory.
absl::StatusOr<std::optional<Frames>> PrepareFrames(const Recipe& recipe, FrameView frames, BuildObserver observe);

}  // namespace kith::retrieval
