// Training: from frames and a recipe to an index.
#pragma once

#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

enum class BuildPhase {
  kCompressing,  // steps of mini-batch k-means, at most
  kExpanding,    // rows
  kTraining,     // k-means iterations of the coarse quantiser
  kAdding,       // rows
  kMeasuring,    // steps of the recall measurement
};

// Told how far a build is; false stops it before its next step.
using BuildObserver = absl::FunctionRef<bool(BuildPhase phase, int64_t done, int64_t total)>;

// Builds an index over `frames` (finite, at least one row) as `recipe` says, in the calling thread and with its number
// of OpenMP threads. Deterministic for a seed and a number of threads.
//
// BAD_PARAMETER as PlanBuild; NOT_FINITE for a row with a norm above kMaxNorm (normalize.h); CANCELLED where the
// observer said so; MEMORY_BUDGET where there was no memory.
absl::StatusOr<std::unique_ptr<Index>> BuildIndex(const Recipe& recipe, FrameView frames, BuildObserver observe);

}  // namespace kith::retrieval
