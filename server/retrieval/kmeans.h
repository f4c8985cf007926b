// Mini-batch k-means, which makes few frames of many.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/progress.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// `compression.centres` rows that stand for `frames` by squared L2 distance, whatever the index's metric will be. All
// are finite; they are in no particular order. Deterministic for a seed, a batch size and a number of threads.
//
// D. Sculley, "Web-scale k-means clustering" (2010), in the variant of scikit-learn's MiniBatchKMeans with
// init="random": a step draws a batch of rows, with repetition; each row pulls its nearest centre by one over the
// number of rows that this centre has seen. Centres that hardly any row comes to are put on rows of the batch instead,
// which here are such as no centre stands on yet.
// It ends when a moving average of the batches' inertia (about a pass over the frames wide) has not improved for 10
// steps.
//
// `frames` are finite, with norms up to kMaxNorm (normalize.h); 1 to frames.rows centres. Runs in the calling thread
// and with its number of OpenMP threads; needs memory for the centres and a few MB. The observer is told of steps.
// CANCELLED where it said so. Throws std::bad_alloc.
absl::StatusOr<Frames> MiniBatchKMeans(FrameView frames, const Compression& compression, int64_t seed,
                                       StepObserver observe);

}  // namespace kith::retrieval
