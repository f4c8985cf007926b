// Alpha expansion of the stored frames: each moves towards its neighbours, which takes the noise out of them.
#pragma once

#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/progress.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// Each row divided by max(1e-9, its norm), replaced by the mean of the expansion.neighbors nearest such rows by cosine
// (itself among them, found by looking at all), weighted by max(0, cosine)^alpha (alpha_weight.h), and divided by
// max(1e-9, norm) again; then it gets its own norm back, unless expansion.unit_norm. A row of zeros stays one.
//
// This is what RVC's "faiss tuning tips" do before they build the index ("alpha query expansion", after Radenovic et
// al., "Fine-tuning CNN image retrieval with no human annotation", 2018), but for the norms, which the tips drop, and
// for negative cosines, which give NaN there.
//
// `frames` are finite; 1 to frames.rows neighbours. Runs in the calling thread and with its number of OpenMP threads;
// holds a unit copy of the frames besides the result. The observer is told of rows. CANCELLED where it said so. Throws
// std::bad_alloc.
absl::StatusOr<Frames> ExpandFrames(FrameView frames, const Expansion& expansion, StepObserver observe);

}  // namespace kith::retrieval
