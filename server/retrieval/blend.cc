#include "server/retrieval/blend.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/alpha_weight.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {
namespace {

// Whether a sum of squares in float may have overflowed, or lost terms below float's range, and is to be redone in
// double.
bool OutOfFloatRange(float sum) { return !std::isfinite(sum) || std::abs(sum) < 1e-25f; }

using Values = absl::InlinedVector<double, 16>;  // one for each neighbour

double InDouble(const float* a, const float* b, size_t size, double (*term)(double, double)) {
  return std::inner_product(a, a + size, b, 0.0, std::plus<>(), term);
}

using Sums = absl::InlinedVector<float, 16>;  // the same

// `sums` of `row` and each of `rows`, or what float has no room for.
Values WithRange(absl::Span<const float> sums, double (*term)(double, double), const float* row,
                 absl::Span<const float* const> rows, size_t size) {
  Values values(sums.begin(), sums.end());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (OutOfFloatRange(sums[i])) values[i] = InDouble(row, rows[i], size, term);
  }
  return values;
}

Sums Compare(decltype(Kernels::inner_products) compare, const float* row, absl::Span<const float* const> rows,
             size_t size) {
  Sums sums(rows.size());
  compare(&row, 1, rows.data(), static_cast<int>(rows.size()), static_cast<int>(size), sums.data());
  return sums;
}

Values Dots(const float* row, absl::Span<const float* const> rows, size_t size) {
  const Sums sums = Compare(BestKernels().inner_products, row, rows, size);
  return WithRange(
      sums, [](double x, double y) { return x * y; }, row, rows, size);
}

// `scores` as Blend's.
Values SquaredDistances(const float* row, absl::Span<const float* const> rows, size_t size,
                        absl::Span<const float> scores) {
  Sums sums(scores.begin(), scores.end());
  if (scores.empty()) sums = Compare(BestKernels().squared_distances, row, rows, size);
  return WithRange(
      sums, [](double x, double y) { return (x - y) * (x - y); }, row, rows, size);
}

// out = sum of weights[i] * rows[i]
void WeightedSum(const Values& weights, absl::Span<const float* const> rows, size_t size, float* out) {
  const absl::InlinedVector<float, 16> factors(weights.begin(), weights.end());
  BestKernels().weighted_sum(rows.data(), factors.data(), static_cast<int>(rows.size()), static_cast<int>(size), out);
}

// out += factor * row, for a factor that may be out of a float's range.
void AddScaled(double factor, absl::Span<const float> row, float* out) {
  for (size_t i = 0; i < row.size(); ++i) out[i] = static_cast<float>(out[i] + factor * row[i]);
}

// The weights sum to 1; where a neighbour equals the frame, the first such has them all.
Values InverseSquareWeights(absl::Span<const float> frame, absl::Span<const float* const> neighbors,
                            absl::Span<const float> scores) {
  Values weights = SquaredDistances(frame.data(), neighbors, frame.size(), scores);
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

bool BlendInverseSquare(absl::Span<const float> frame, absl::Span<const float* const> neighbors,
                        absl::Span<const float> scores, float* blended) {
  if (neighbors.empty()) return false;
  WeightedSum(InverseSquareWeights(frame, neighbors, scores), neighbors, frame.size(), blended);
  return true;
}

double NormOf(const float* row, size_t size) { return std::sqrt(Dots(row, {&row, 1}, size)[0]); }

// The cosine of each neighbour, of these norms, with the frame, of norm `norm`; 0 where it is negative or a row is
// zero.
Values PositiveCosines(absl::Span<const float> frame, double norm, absl::Span<const float* const> neighbors,
                       const Values& norms) {
  Values cosines = Dots(frame.data(), neighbors, frame.size());
  for (size_t i = 0; i < neighbors.size(); ++i) {
    const double product = norm * norms[i];
    cosines[i] = product > 0 ? std::max(0.0, cosines[i] / product) : 0;
  }
  return cosines;
}

// The mean that kAlpha scales, into `mean`; its length counts for nothing. False where nothing has a
// weight.
bool AlphaMean(absl::Span<const float> frame, double norm, absl::Span<const float* const> neighbors,
               const BlendParams& params, float* mean) {
  Values norms(neighbors.size());
  for (size_t i = 0; i < norms.size(); ++i) norms[i] = NormOf(neighbors[i], frame.size());
  Values weights = PositiveCosines(frame, norm, neighbors, norms);
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
  WeightedSum(weights, neighbors, frame.size(), mean);
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
           float* out, absl::Span<const float> scores) {
  const bool blended = params.weighting == Weighting::kAlpha ? BlendAlpha(frame, neighbors, params, out)
                                                             : BlendInverseSquare(frame, neighbors, scores, out);
  if (!blended || params.index_rate == 0) {
    std::copy(frame.begin(), frame.end(), out);
    return blended;
  }
  if (params.index_rate < 1) {
    const float* const parts[] = {out, frame.data()};
    WeightedSum({params.index_rate, 1 - params.index_rate}, parts, frame.size(), out);
  }
  return true;
}

}  // namespace kith::retrieval
