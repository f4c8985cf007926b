// How good an index is, measured on queries as hard as those of a conversion.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/progress.h"
#include "server/retrieval/recipe.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// What an nprobe that is chosen by measuring has to reach, so that other speakers reach 0.95 (docs/recall.md).
inline constexpr double kTargetRecall = 0.97;

struct RecallChoice {
  int nprobe = 0;
  double recall_at_8 = 0;
};

// Measures recall@8 (the share of each query's 8 exact neighbours that the index finds) and, unless `plan` has an
// nprobe, chooses the smallest that reaches kTargetRecall; where none does (the codes lose too much), the smallest
// within 0.005 of the best. nlist 0: an index without lists.
//
// The queries are mixtures of random pairs of the stored frames, kMeasuringQueries of them (exact.h; fewer of rows
// above 8,192 values): each value from the one or the other. The voice's own rows would be too easy: what a conversion
// sends are another speaker's frames, farther from every stored one than those are from each other. Mixtures lie as far
// off and are as long. On real frames, in every metric, their recall follows that of other speakers to about 0.02
// (docs/recall.md).
//
// The observer is told of steps, of an estimated number. CANCELLED where it said so.
absl::StatusOr<RecallChoice> MeasureRecall(const faiss::Index& index, FrameView frames, Metric metric,
                                           const BuildPlan& plan, int64_t nlist, int64_t seed, StepObserver observe);

}  // namespace kith::retrieval
