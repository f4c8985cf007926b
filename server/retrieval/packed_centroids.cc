#include "server/retrieval/packed_centroids.h"

#include <algorithm>
#include <limits>

#include "absl/types/span.h"
#include "server/retrieval/panel_kernel.h"

namespace kith::retrieval {
namespace {

using panel::kPanel;
using panel::kRows;

constexpr int64_t kRowsAtOnce = 96;  // bounds the memory for scores

panel::Kernel ChooseKernel() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return panel::MultiplyAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return panel::MultiplyAvx2;
#endif
  return panel::MultiplyBaseline;
}

float SquaredNorm(const float* row, int dimension) {
  double sum = 0;
  for (int j = 0; j < dimension; ++j) sum += static_cast<double>(row[j]) * row[j];
  return static_cast<float>(sum);
}

// The ids of the `count` smallest of scores, smallest first; of equal ones the first.
void Smallest(absl::Span<const float> scores, int count, int64_t* ids, std::vector<float>* best) {
  best->assign(count, std::numeric_limits<float>::infinity());
  std::fill(ids, ids + count, 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] < best->back())) continue;
    int place = count - 1;
    for (; place > 0 && scores[i] < (*best)[place - 1]; --place) {
      (*best)[place] = (*best)[place - 1];
      ids[place] = ids[place - 1];
    }
    (*best)[place] = scores[i];
    ids[place] = static_cast<int64_t>(i);
  }
}

}  // namespace

PackedCentroids::PackedCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric)
    : nlist_(nlist), dimension_(dimension), is_l2_(metric == Metric::kL2) {
  const int64_t panels = (nlist + kPanel - 1) / kPanel;
  panels_.resize(static_cast<size_t>(panels) * dimension * kPanel);
  squared_norms_.reserve(nlist);
  for (int64_t i = 0; i < nlist; ++i) {
    const float* centroid = centroids + i * dimension;
    float* column = panels_.data() + (i / kPanel) * dimension * kPanel + i % kPanel;
    for (int j = 0; j < dimension; ++j) column[static_cast<size_t>(j) * kPanel] = centroid[j];
    squared_norms_.push_back(SquaredNorm(centroid, dimension));
  }
}

// scores[r * nlist + i]: what is smallest for the nearest centroid i of row r. For L2 the row's own norm is left out.
// Panel by panel, so that the centroids come from memory once for all rows.
void PackedCentroids::Score(const float* queries, int64_t n, float* scores) const {
  static const panel::Kernel kernel = ChooseKernel();
  float products[kRows * kPanel];
  for (int64_t first = 0; first < nlist_; first += kPanel) {
    const float* panel = panels_.data() + first * dimension_;
    const int64_t centroids = std::min<int64_t>(kPanel, nlist_ - first);
    for (int64_t row = 0; row < n; row += kRows) {
      const int count = static_cast<int>(std::min<int64_t>(kRows, n - row));
      const float* rows[kRows];
      for (int r = 0; r < count; ++r) rows[r] = queries + (row + r) * dimension_;
      kernel(panel, dimension_, rows, count, products);
      for (int r = 0; r < count; ++r) {
        float* out = scores + (row + r) * nlist_ + first;
        for (int64_t i = 0; i < centroids; ++i) {
          const float product = products[r * kPanel + i];
          out[i] = is_l2_ ? squared_norms_[first + i] - 2 * product : -product;
        }
      }
    }
  }
}

void PackedCentroids::Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const {
  std::vector<float> scores(std::min(n, kRowsAtOnce) * nlist_);
  std::vector<float> best;
  for (int64_t first = 0; first < n; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, n - first);
    Score(queries + first * dimension_, count, scores.data());
    for (int64_t r = 0; r < count; ++r) {
      const int64_t out = (first + r) * nprobe;
      Smallest({scores.data() + r * nlist_, static_cast<size_t>(nlist_)}, nprobe, ids + out, &best);
      const float norm = is_l2_ ? SquaredNorm(queries + (first + r) * dimension_, dimension_) : 0;
      for (int p = 0; p < nprobe; ++p) distances[out + p] = is_l2_ ? std::max(0.0f, norm + best[p]) : -best[p];
    }
  }
}

}  // namespace kith::retrieval
