#include "server/retrieval/packed_centroids.h"

#include <algorithm>

#include "server/retrieval/smallest.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 96;  // bounds the memory for scores

float SquaredNorm(const float* row, int dimension) {
  double sum = 0;
  for (int j = 0; j < dimension; ++j) sum += static_cast<double>(row[j]) * row[j];
  return static_cast<float>(sum);
}

}  // namespace

PackedCentroids::PackedCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric,
                                 const Kernels& kernels)
    : kernels_(kernels), nlist_(nlist), dimension_(dimension), is_l2_(metric == Metric::kL2) {
  const int width = kernels.panel_width;
  const int64_t panels = (nlist + width - 1) / width;
  panels_.resize(static_cast<size_t>(panels) * dimension * width);
  squared_norms_.reserve(nlist);
  for (int64_t i = 0; i < nlist; ++i) {
    const float* centroid = centroids + i * dimension;
    float* column = panels_.data() + (i / width) * dimension * width + i % width;
    for (int j = 0; j < dimension; ++j) column[static_cast<size_t>(j) * width] = centroid[j];
    squared_norms_.push_back(SquaredNorm(centroid, dimension));
  }
}

// scores[r * nlist + i]: what is smallest for the nearest centroid i of row r. For L2 the row's own norm is left out.
// Panel by panel, so that the centroids come from memory once for all rows.
void PackedCentroids::Score(const float* queries, int64_t n, float* scores) const {
  const int width = kernels_.panel_width;
  float products[kMaxPanelRows * kMaxPanelWidth];
  for (int64_t first = 0; first < nlist_; first += width) {
    const float* panel = panels_.data() + first * dimension_;
    const int64_t centroids = std::min<int64_t>(width, nlist_ - first);
    for (int64_t row = 0; row < n; row += kernels_.panel_rows) {
      const int count = static_cast<int>(std::min<int64_t>(kernels_.panel_rows, n - row));
      const float* rows[kMaxPanelRows];
      for (int r = 0; r < count; ++r) rows[r] = queries + (row + r) * dimension_;
      kernels_.multiply(panel, dimension_, rows, count, products);
      for (int r = 0; r < count; ++r) {
        float* out = scores + (row + r) * nlist_ + first;
        for (int64_t i = 0; i < centroids; ++i) {
          const float product = products[static_cast<int64_t>(r) * width + i];
          out[i] = is_l2_ ? squared_norms_[first + i] - 2 * product : -product;
        }
      }
    }
  }
}

void PackedCentroids::Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const {
  thread_local std::vector<float> scores;  // too large to be made anew for every block
  std::vector<float> best;
  scores.resize(std::min(n, kRowsAtOnce) * nlist_);
  for (int64_t first = 0; first < n; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, n - first);
    Score(queries + first * dimension_, count, scores.data());
    for (int64_t r = 0; r < count; ++r) {
      const int64_t out = (first + r) * nprobe;
      Smallest(kernels_, {scores.data() + r * nlist_, static_cast<size_t>(nlist_)}, nprobe, ids + out, &best);
      const float norm = is_l2_ ? SquaredNorm(queries + (first + r) * dimension_, dimension_) : 0;
      for (int p = 0; p < nprobe; ++p) distances[out + p] = is_l2_ ? std::max(0.0f, norm + best[p]) : -best[p];
    }
  }
}

}  // namespace kith::retrieval
