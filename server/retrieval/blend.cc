#include "server/retrieval/blend.h"

#include <cblas.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/alpha_weight.h"

namespace kith::retrieval {
namespace {

// Whether a sum of squares in float may have overflowed, or lost terms below float's range, and is to be redone in
// double.
bool OutOfFloatRange(float sum) { return !std::isfinite(sum) || std::abs(sum) < 1e-25f; }

double Dot(const float* a, const float* b, size_t size) {
  const float fast = faiss::fvec_inner_product(a, b, size);
  if (!OutOfFloatRange(fast)) return fast;
  return std::inner_product(a, a + size, b, 0.0, std::plus<>(), [](double x, double y) { return x * y; });
}

double SquaredDistance(const float* a, const float* b, size_t size) {
  const float fast = faiss::fvec_L2sqr(a, b, size);
  if (!OutOfFloatRange(fast)) return fast;
  return std::inner_product(a, a + size, b, 0.0, std::plus<>(), [](double x, double y) { return (x - y) * (x - y); });
}

// out += sum of weights[i] * rows[i]
void AddWeighted(absl::Span<const double> weights, absl::Span<const float* const> rows, size_t size, float* out) {
  for (size_t i = 0; i < rows.size(); ++i) {
    if (weights[i] > 0) cblas_saxpy(static_cast<int>(size), static_cast<float>(weights[i]), rows[i], 1, out, 1);
  }
}

// out += factor * row, for a factor that may be out of a float's range.
void AddScaled(double factor, absl::Span<const float> row, float* out) {
  for (size_t i = 0; i < row.size(); ++i) out[i] = static_cast<float>(out[i] + factor * row[i]);
}

// The weights sum to 1; where a neighbour equals the frame, the first such has them all.
std::vector<double> InverseSquareWeights(absl::Span<const float> frame, absl::Span<const float* const> neighbors) {
  std::vector<double> weights(neighbors.size());
  for (size_t i = 0; i < neighbors.size(); ++i) {
    weights[i] = SquaredDistance(frame.data(), neighbors[i], frame.size());
  }
  const auto nearest = std::min_element(weights.begin(), weights.end());
  const double smallest = *nearest;
  if (smallest == 0) {
    const auto exact = nearest - weights.begin();
    std::fill(weights.begin(), weights.end(), 0.0);
    weights[exact] = 1;
    return weights;
  }
  double sum = 0;
  for (double& weight : weights) {  // (1 / score)^2 relative to the largest, so that nothing overflows
    weight = (smallest / weight) * (smallest / weight);
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

bool BlendInverseSquare(absl::Span<const float> frame, absl::Span<const float* const> neighbors, float* blended) {
  if (neighbors.empty()) return false;
  AddWeighted(InverseSquareWeights(frame, neighbors), neighbors, frame.size(), blended);
  return true;
}

double NormOf(const float* row, size_t size) { return std::sqrt(Dot(row, row, size)); }

// The cosine of each neighbour, of these norms, with the frame, of norm `norm`; 0 where it is negative or a row is
// zero.
std::vector<double> PositiveCosines(absl::Span<const float> frame, double norm,
                                    absl::Span<const float* const> neighbors, const std::vector<double>& norms) {
  std::vector<double> cosines(neighbors.size());
  for (size_t i = 0; i < neighbors.size(); ++i) {
    const double product = norm * norms[i];
    if (product > 0) cosines[i] = std::max(0.0, Dot(frame.data(), neighbors[i], frame.size()) / product);
  }
  return cosines;
}

// The mean that kAlpha scales, into the zeros of `mean`; its length counts for nothing. False where nothing has a
// weight.
bool AlphaMean(absl::Span<const float> frame, double norm, absl::Span<const float* const> neighbors,
               const BlendParams& params, float* mean) {
  std::vector<double> norms(neighbors.size());
  for (size_t i = 0; i < norms.size(); ++i) norms[i] = NormOf(neighbors[i], frame.size());
  std::vector<double> weights = PositiveCosines(frame, norm, neighbors, norms);
  const double largest = params.include_query ? 1 : *std::max_element(weights.begin(), weights.end());
  for (double& weight : weights) weight = AlphaWeight(weight, largest, params.alpha);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const double mean_norm = std::inner_product(weights.begin(), weights.end(), norms.begin(), 0.0) / sum;
  if (!(mean_norm > 0)) {  // or NaN: no neighbour has a weight
    std::copy(frame.begin(), frame.end(), mean);
    return params.include_query;
  }
  const double total = params.include_query ? sum + 1 : sum;
  for (double& weight : weights) weight /= total;
  AddWeighted(weights, neighbors, frame.size(), mean);
  if (params.include_query) AddScaled(mean_norm / norm / total, frame, mean);
  return true;
}

bool BlendAlpha(absl::Span<const float> frame, absl::Span<const float* const> neighbors, const BlendParams& params,
                float* blended) {
  if (neighbors.empty()) return false;
  const double norm = NormOf(frame.data(), frame.size());
  if (!AlphaMean(frame, norm, neighbors, params, blended)) return false;
  const double length = NormOf(blended, frame.size());
  if (!(length > 0)) return false;
  const double scale = (params.unit_norm ? 1 : norm) / length;  // may itself be out of a float's range
  for (size_t i = 0; i < frame.size(); ++i) blended[i] = static_cast<float>(blended[i] * scale);
  return true;
}

}  // namespace

absl::Status CheckBlend(const BlendParams& params) {
  // Written so that a NaN fails as well.
  if (!(params.index_rate >= 0 && params.index_rate <= 1)) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("params.index_rate: ", params.index_rate, " is out of range; 0 to 1"));
  }
  if (!(params.alpha >= 0 && std::isfinite(params.alpha))) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("params.alpha: ", params.alpha, " is out of range; 0 or more, and finite"));
  }
  if (params.weighting != Weighting::kAlpha && (params.include_query || params.unit_norm)) {
    return Error(Reason::kBadParameter, "params.include_query and params.unit_norm go with WEIGHTING_ALPHA only");
  }
  return absl::OkStatus();
}

bool Blend(absl::Span<const float> frame, absl::Span<const float* const> neighbors, const BlendParams& params,
           float* out) {
  std::fill_n(out, frame.size(), 0.0f);
  const bool blended = params.weighting == Weighting::kAlpha ? BlendAlpha(frame, neighbors, params, out)
                                                             : BlendInverseSquare(frame, neighbors, out);
  if (!blended || params.index_rate == 0) {
    std::copy(frame.begin(), frame.end(), out);
    return blended;
  }
  if (params.index_rate < 1) {
    cblas_sscal(static_cast<int>(frame.size()), params.index_rate, out, 1);
    cblas_saxpy(static_cast<int>(frame.size()), 1 - params.index_rate, frame.data(), 1, out, 1);
  }
  return true;
}

}  // namespace kith::retrieval
