#include "server/retrieval/byte_centroids.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/retrieval/smallest.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 96;  // bounds the memory for scores
constexpr int kZero = 128;           // a query's byte for 0
constexpr float kLargestCode = 127;

// More than the roundings of a score, relative to the squared norms that are in it; and where those underflow.
constexpr float kRounding = 4e-6f;
constexpr float kUnderflow = 1e-36f;

// A float that is no smaller.
float RoundedUp(double value) { return static_cast<float>(value * (1 + 1e-6)); }

}  // namespace

struct ByteCentroids::Scratch {
  std::vector<uint8_t> rows;
  std::vector<Scaled> scaled;
  std::vector<int8_t> codes;
  std::vector<float> centred;
  std::vector<float> scores;
  std::vector<float> best;
  std::vector<int64_t> candidates;
  std::vector<const float*> candidate_rows;
};

ByteCentroids::ByteCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric,
                             const Kernels& kernels)
    : kernels_(kernels),
      centroids_(centroids),
      nlist_(nlist),
      dimension_(dimension),
      steps_((dimension + 3) / 4),
      is_l2_(metric == Metric::kL2),
      mean_(dimension) {
  for (int64_t i = 0; i < nlist; ++i) {
    for (int j = 0; j < dimension; ++j) {
      mean_[j] += (centroids[i * dimension + j] - mean_[j]) / static_cast<float>(i + 1);
    }
  }
  const int64_t panels = (nlist + kBytePanelWidth - 1) / kBytePanelWidth;
  panels_.resize(static_cast<size_t>(panels) * steps_ * 4 * kBytePanelWidth);
  std::vector<float> centred(dimension);
  std::vector<int8_t> codes(dimension);
  for (int64_t i = 0; i < nlist; ++i) {
    for (int j = 0; j < dimension; ++j) centred[j] = centroids[i * dimension + j] - mean_[j];
    const Scaled scaled = Scale(centred.data(), codes.data());
    int8_t* panel = panels_.data() + i / kBytePanelWidth * steps_ * 4 * kBytePanelWidth;
    int32_t sum = 0;
    for (int j = 0; j < dimension; ++j) {
      panel[(static_cast<size_t>(j / 4) * kBytePanelWidth + i % kBytePanelWidth) * 4 + j % 4] = codes[j];
      sum += codes[j];
    }
    scales_.push_back(scaled.scale);
    norms_.push_back(is_l2_ ? scaled.squared_norm : 0);
    offsets_.push_back(kZero * sum);
    largest_norm_ = std::max(largest_norm_, scaled.squared_norm);
    largest_error_ = std::max(largest_error_, scaled.error);
  }
}

ByteCentroids::Scaled ByteCentroids::Scale(const float* values, int8_t* codes) const {
  float largest = 0;
  for (int j = 0; j < dimension_; ++j) largest = std::max(largest, std::abs(values[j]));
  Scaled scaled;
  scaled.scale = largest / kLargestCode;
  const float inverse = kLargestCode / largest;
  const bool codable = scaled.scale > std::numeric_limits<float>::min() && std::isfinite(inverse);
  if (!codable) scaled.scale = 0;
  float squares = 0;
  float error = 0;
  for (int j = 0; j < dimension_; ++j) {
    const float code = codable ? std::nearbyint(values[j] * inverse) : 0;
    codes[j] = static_cast<int8_t>(code);
    const float rest = values[j] - code * scaled.scale;
    squares += code * code;
    error += rest * rest;
  }
  scaled.squared_norm = squares * scaled.scale * scaled.scale;
  scaled.error = RoundedUp(std::sqrt(static_cast<double>(error)) * (1 + kRounding));
  return scaled;
}

void ByteCentroids::TakeQueries(int64_t n, const float* queries, Scratch* scratch) const {
  const int stride = steps_ * 4;
  scratch->rows.assign(n * stride, kZero);
  scratch->scaled.resize(n);
  scratch->codes.resize(dimension_);
  scratch->centred.resize(dimension_);
  for (int64_t r = 0; r < n; ++r) {
    const float* query = queries + r * dimension_;
    // Among inner products with one query, taking the mean off the centroids changes all by the same.
    for (int j = 0; j < dimension_; ++j) scratch->centred[j] = is_l2_ ? query[j] - mean_[j] : query[j];
    scratch->scaled[r] = Scale(scratch->centred.data(), scratch->codes.data());
    uint8_t* row = scratch->rows.data() + r * stride;
    for (int j = 0; j < dimension_; ++j) row[j] = static_cast<uint8_t>(scratch->codes[j] + kZero);
  }
}

// scores[r * nlist + i]: what is smallest for the centroid i whose bytes are nearest to those of row r. For L2 the
// row's own norm is left out.
void ByteCentroids::Score(int64_t n, Scratch* scratch) const {
  const int stride = steps_ * 4;
  const float sign = is_l2_ ? -2.0f : -1.0f;
  scratch->scores.resize(n * nlist_);
  int32_t products[kBytePanelRows * kBytePanelWidth];
  for (int64_t first = 0; first < nlist_; first += kBytePanelWidth) {
    const int8_t* panel = panels_.data() + first * stride;
    const int64_t centroids = std::min<int64_t>(kBytePanelWidth, nlist_ - first);
    for (int64_t row = 0; row < n; row += kBytePanelRows) {
      const int count = static_cast<int>(std::min<int64_t>(kBytePanelRows, n - row));
      const uint8_t* rows[kBytePanelRows];
      for (int r = 0; r < count; ++r) rows[r] = scratch->rows.data() + (row + r) * stride;
      kernels_.multiply_bytes(panel, steps_, rows, count, products);
      for (int r = 0; r < count; ++r) {
        const float factor = sign * scratch->scaled[row + r].scale;
        float* out = scratch->scores.data() + (row + r) * nlist_ + first;
        for (int64_t i = 0; i < centroids; ++i) {
          const auto product = static_cast<float>(products[r * kBytePanelWidth + i] - offsets_[first + i]);
          out[i] = norms_[first + i] + factor * scales_[first + i] * product;
        }
      }
    }
  }
}

// The score that a centroid can have at most, if it is no farther than one with `score`.
float ByteCentroids::Limit(const Scaled& query, float score) const {
  const float rounding = kRounding * (query.squared_norm + largest_norm_) + kUnderflow;
  if (is_l2_) {
    // The distance of two vectors and that of their bytes differ by their errors at most.
    const float distance = std::sqrt(std::max(0.0f, score + query.squared_norm) + rounding);
    const float limit = distance + 2 * (query.error + largest_error_);
    return limit * limit * (1 + kRounding) + rounding - query.squared_norm;
  }
  // |q c - q' c'| <= |q - q'| |c| + |q'| |c - c'|
  const float error =
      query.error * (std::sqrt(largest_norm_) + largest_error_) + std::sqrt(query.squared_norm) * largest_error_;
  return score + 2 * error * (1 + kRounding) + rounding;
}

void ByteCentroids::NearestOf(const float* query, const Scaled& scaled, const float* scores, int nprobe,
                              Scratch* scratch, int64_t* ids, float* distances) const {
  Smallest({scores, static_cast<size_t>(nlist_)}, nprobe, ids, &scratch->best);
  const float limit = Limit(scaled, scratch->best.back());
  scratch->candidates.clear();
  scratch->candidate_rows.clear();
  for (int64_t i = 0; i < nlist_; ++i) {
    if (scores[i] > limit) continue;
    scratch->candidates.push_back(i);
    scratch->candidate_rows.push_back(centroids_ + i * dimension_);
  }
  const auto count = static_cast<int>(scratch->candidates.size());
  scratch->best.resize(count);
  float* exact = scratch->best.data();
  const auto compare = is_l2_ ? kernels_.squared_distances : kernels_.inner_products;
  compare(&query, 1, scratch->candidate_rows.data(), count, dimension_, exact);
  std::vector<float> nearness(exact, exact + count);
  if (!is_l2_) {
    for (float& value : nearness) value = -value;
  }
  Smallest(nearness, nprobe, ids, &scratch->best);
  for (int p = 0; p < nprobe; ++p) {
    ids[p] = scratch->candidates[ids[p]];
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
      NearestOf(rows + r * dimension_, scratch.scaled[r], scratch.scores.data() + r * nlist_, nprobe, &scratch,
                ids + (first + r) * nprobe, distances + (first + r) * nprobe);
    }
  }
}

int64_t ByteCentroids::bytes() const {
  return static_cast<int64_t>(panels_.size() + (scales_.size() + norms_.size() + offsets_.size()) * sizeof(float) +
                              mean_.size() * sizeof(float));
}

}  // namespace kith::retrieval
