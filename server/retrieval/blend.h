// The mathematics of Expand for one row.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace kith::retrieval {

enum class Weighting {
  kInverseSquare,  // w = (1 / score)^2, score the squared L2 distance: what RVC does
  // w = max(0, cosine)^alpha, and 0 for alpha 0 as well where the cosine is not positive: alpha query expansion
  // (Radenovic et al., "Fine-tuning CNN image retrieval")
  kAlpha,
};

struct BlendParams {
  Weighting weighting = Weighting::kInverseSquare;
  float alpha = 3;
  float index_rate = 1;
  bool include_query = false;  // kAlpha only: the frame takes part itself, with weight 1
  bool unit_norm = false;
};

// OK where every field is in its range; otherwise BAD_PARAMETER that names the field and its range.
absl::Status CheckBlend(const BlendParams& params);

// out = index_rate * blended + (1 - index_rate) * frame, with `blended` the mean of `neighbors` (rows of frame.size()
// values) weighted as `params` says, weights normalised to sum 1. kInverseSquare: a neighbour equal to the frame is
// taken as it is. kAlpha: the sum is scaled to the frame's norm, or to 1. Never NaN for finite input. `out` has
// frame.size() values.
//
// With include_query the sum is  m frame / |frame| + sum of w_i x_i,  where m = (sum of w_i |x_i|) / (sum of w_i)  is
// the neighbours' mean norm. Among rows of norm 1 that is alpha query expansion as in the literature, where the query
// has weight 1; a voice's rows have norms of their own, and a louder or softer frame must not change the direction.
//
// `scores`: of each neighbour, the squared L2 distance to the frame as Kernels::squared_distances has it, so that it
// need not be computed again; empty where it is not known.
//
// False where nothing has a weight (no neighbours; for kAlpha none on the frame's side): then out is the frame.
bool Blend(absl::Span<const float> frame, absl::Span<const float* const> neighbors, const BlendParams& params,
           float* out, absl::Span<const float> scores = {});

}  // namespace kith::retrieval
