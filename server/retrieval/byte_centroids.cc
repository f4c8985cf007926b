#include "server/retrieval/byte_centroids.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "server/retrieval/smallest.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 96;   // bounds the memory for scores
constexpr int kZero = 128;            // a query's byte for 0
constexpr float kUnderflow = 1e-36f;  // of squares

}  // namespace

struct ByteCentroids::Scratch {
  std::vector<uint8_t> rows;
  std::vector<ByteCode> codes;
  std::vector<float> scores;
  std::vector<float> best;
  std::vector<float> nearness;
  std::vector<int32_t> candidates;
  std::vector<const float*> candidate_rows;
};

ByteCentroids::ByteCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric,
                             const Kernels& kernels)
    : kernels_(kernels),
      centroids_(centroids),
      nlist_(nlist),
      dimension_(dimension),
      steps_((dimension + 3) / 4),
      width_((nlist + kBytePanelWidth - 1) / kBytePanelWidth * kBytePanelWidth),
      is_l2_(metric == Metric::kL2),
      rounding_(1.2e-7f * (static_cast<float>(dimension) / 16 + 16)),
      mean_(dimension),
      zero_(dimension) {
  for (int64_t i = 0; i < nlist; ++i) {
    for (int j = 0; j < dimension; ++j) {
      mean_[j] += (centroids[i * dimension + j] - mean_[j]) / static_cast<float>(i + 1);
    }
  }
  panels_.resize(width_ * steps_ * 4);
  std::vector<int8_t> codes(dimension);
  for (int64_t i = 0; i < nlist; ++i) {
    const ByteCode code = kernels.encode_bytes(centroids + i * dimension, mean_.data(), dimension, codes.data());
    int8_t* panel = panels_.data() + i / kBytePanelWidth * steps_ * 4 * kBytePanelWidth;
    int32_t sum = 0;
    for (int j = 0; j < dimension; ++j) {
      panel[(static_cast<size_t>(j / 4) * kBytePanelWidth + i % kBytePanelWidth) * 4 + j % 4] = codes[j];
      sum += codes[j];
    }
    scales_.push_back(code.scale);
    norms_.push_back(is_l2_ ? code.squared_norm : 0);
    offsets_.push_back(kZero * sum);
    largest_norm_ = std::max(largest_norm_, code.squared_norm);
    largest_error_ = std::max(largest_error_, code.error);
  }
  scales_.resize(width_);
  norms_.resize(width_);
  offsets_.resize(width_);
}

void ByteCentroids::TakeQueries(int64_t n, const float* queries, Scratch* scratch) const {
  const int stride = steps_ * 4;
  // Among inner products with one query, taking the mean off the centroids changes all by the same.
  const float* origin = is_l2_ ? mean_.data() : zero_.data();
  scratch->rows.assign(n * stride, 0);
  scratch->codes.resize(n);
  for (int64_t r = 0; r < n; ++r) {
    uint8_t* row = scratch->rows.data() + r * stride;
    scratch->codes[r] =
        kernels_.encode_bytes(queries + r * dimension_, origin, dimension_, reinterpret_cast<int8_t*>(row));
    for (int j = 0; j < stride; ++j) row[j] ^= kZero;  // adds it to a signed byte
  }
}

// scores[r * width_ + i]: what is smallest for the centroid i whose bytes are nearest to those of row r. For L2 the
// row's own norm is left out.
void ByteCentroids::Score(int64_t n, Scratch* scratch) const {
  const int stride = steps_ * 4;
  const float sign = is_l2_ ? -2.0f : -1.0f;
  scratch->scores.resize(n * width_);
  for (int64_t first = 0; first < nlist_; first += kBytePanelWidth) {
    const BytePanel panel{panels_.data() + first * stride, scales_.data() + first, norms_.data() + first,
                          offsets_.data() + first};
    for (int64_t row = 0; row < n; row += kBytePanelRows) {
      const int count = static_cast<int>(std::min<int64_t>(kBytePanelRows, n - row));
      const uint8_t* rows[kBytePanelRows];
      float factors[kBytePanelRows];
      for (int r = 0; r < count; ++r) {
        rows[r] = scratch->rows.data() + (row + r) * stride;
        factors[r] = sign * scratch->codes[row + r].scale;
      }
      kernels_.score_bytes(panel, steps_, rows, factors, count, width_, scratch->scores.data() + row * width_ + first);
    }
  }
}

// The score that a centroid can have at most, if it is no farther than one with `score`.
float ByteCentroids::Limit(const ByteCode& query, float score) const {
  const float rounding = rounding_ * (query.squared_norm + largest_norm_) + kUnderflow;
  const float query_error = query.error * (1 + rounding_) + rounding_ * std::sqrt(query.squared_norm);
  const float centroid_error = largest_error_ * (1 + rounding_) + rounding_ * std::sqrt(largest_norm_);
  if (is_l2_) {
    // The distance of two vectors and that of their bytes differ by their errors at most.
    const float distance = std::sqrt(std::max(0.0f, score + query.squared_norm) + rounding);
    const float limit = distance + 2 * (query_error + centroid_error);
    return limit * limit * (1 + rounding_) + rounding - query.squared_norm;
  }
  // |q c - q' c'| <= |q - q'| |c| + |q'| |c - c'|
  const float error =
      query_error * (std::sqrt(largest_norm_) + centroid_error) + std::sqrt(query.squared_norm) * centroid_error;
  return score + 2 * error * (1 + rounding_) + rounding;
}

void ByteCentroids::NearestOf(const float* query, const ByteCode& code, const float* scores, int nprobe,
                              Scratch* scratch, int64_t* ids, float* distances) const {
  Smallest(kernels_, {scores, static_cast<size_t>(nlist_)}, nprobe, ids, &scratch->best);
  scratch->candidates.resize(nlist_);
  int32_t* candidates = scratch->candidates.data();
  const int count = kernels_.at_most(scores, static_cast<int>(nlist_), Limit(code, scratch->best.back()), candidates);
  scratch->candidate_rows.resize(count);
  for (int i = 0; i < count; ++i) {
    scratch->candidate_rows[i] = centroids_ + static_cast<int64_t>(candidates[i]) * dimension_;
  }
  scratch->nearness.resize(count);
  float* nearness = scratch->nearness.data();
  const auto compare = is_l2_ ? kernels_.squared_distances : kernels_.inner_products;
  compare(&query, 1, scratch->candidate_rows.data(), count, dimension_, nearness);
  if (!is_l2_) std::transform(nearness, nearness + count, nearness, std::negate<>());
  Smallest(kernels_, scratch->nearness, nprobe, ids, &scratch->best);
  for (int p = 0; p < nprobe; ++p) {
    ids[p] = candidates[ids[p]];
    distances[p] = is_l2_ ? scratch->best[p] : -scratch->best[p];
  }
}

void ByteCentroids::Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const {
  thread_local Scratch scratch;
  for (int64_t first = 0; first < n; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, n - first);
    const float* rows = queries + first * dimension_;
    TakeQueries(count, rows, &scratch);
    Score(count, &scratch);
    for (int64_t r = 0; r < count; ++r) {
      NearestOf(rows + r * dimension_, scratch.codes[r], scratch.scores.data() + r * width_, nprobe, &scratch,
                ids + (first + r) * nprobe, distances + (first + r) * nprobe);
    }
  }
}

int64_t ByteCentroids::bytes() const {
  return static_cast<int64_t>(panels_.size() + (scales_.size() + norms_.size() + offsets_.size()) * sizeof(float) +
                              (mean_.size() + zero_.size()) * sizeof(float));
}

}  // namespace kith::retrieval
