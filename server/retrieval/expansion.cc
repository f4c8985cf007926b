#include "server/retrieval/expansion.h"

#include <cblas.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <vector>

#include "server/retrieval/alpha_weight.h"
#include "server/retrieval/normalize.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 512;
constexpr int64_t kNeighborsAtOnce = 1 << 20;  // of all rows of a batch together

// Adds the neighbours by their weights, whose scale does not matter.
void AddWeightedRows(FrameView unit, const int64_t* ids, const float* cosines, const Expansion& expansion, float* out) {
  const double largest = *std::max_element(cosines, cosines + expansion.neighbors);
  for (int i = 0; i < expansion.neighbors; ++i) {
    const double weight = AlphaWeight(cosines[i], largest, expansion.alpha);
    if (weight > 0) cblas_saxpy(unit.dimension, static_cast<float>(weight), unit.row(ids[i]), 1, out, 1);
  }
}

void SetNorm(double norm, int dimension, float* row) {
  const double scale = norm / std::max(kSmallestNorm, Norm(row, dimension));
  for (int j = 0; j < dimension; ++j) row[j] = static_cast<float>(row[j] * scale);
}

}  // namespace

absl::StatusOr<Frames> ExpandFrames(FrameView frames, const Expansion& expansion, StepObserver observe) {
  if (!observe(0, frames.rows)) return Cancelled();
  const std::vector<float> unit_values = NormalizedRows(frames);
  const FrameView unit{unit_values.data(), frames.rows, frames.dimension};
  Frames expanded{frames.dimension, std::vector<float>(frames.size(), 0.0f)};
  const int64_t rows_at_once = std::clamp<int64_t>(kNeighborsAtOnce / expansion.neighbors, 1, kRowsAtOnce);
  std::vector<float> cosines(rows_at_once * expansion.neighbors);
  std::vector<int64_t> ids(rows_at_once * expansion.neighbors);
  for (int64_t first = 0; first < frames.rows; first += rows_at_once) {
    if (!observe(first, frames.rows)) return Cancelled();
    const int64_t rows = std::min(rows_at_once, frames.rows - first);
    faiss::knn_inner_product(unit.row(first), unit.data, unit.dimension, rows, unit.rows, expansion.neighbors,
                             cosines.data(), ids.data());
    for (int64_t i = 0; i < rows; ++i) {
      float* out = expanded.values.data() + (first + i) * frames.dimension;
      AddWeightedRows(unit, ids.data() + i * expansion.neighbors, cosines.data() + i * expansion.neighbors, expansion,
                      out);
      SetNorm(expansion.unit_norm ? 1 : Norm(frames.row(first + i), frames.dimension), frames.dimension, out);
    }
  }
  if (!observe(frames.rows, frames.rows)) return Cancelled();
  return expanded;
}

}  // namespace kith::retrieval
