#include "server/retrieval/principal_plane.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "server/retrieval/one_thread.h"

namespace kith::retrieval {
namespace {

// Block power iteration: more directions than are wanted, so that those converge soon.
constexpr int kDirections = 6;
constexpr int kIterations = 40;

// On each side of the sample's middle 98 %, in widths of that.
constexpr float kMargin = 0.12F;
constexpr double kTail = 0.01;

constexpr float kFarthest = 0.5F;  // beyond the edges

using Matrix = std::vector<float>;

// out[rows x kDirections] = x[rows x dimension] * directions^T
void Project(const Matrix& x, int rows, int dimension, const Matrix& directions, Matrix* out) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, kDirections, dimension, 1, x.data(), dimension,
              directions.data(), dimension, 0, out->data(), kDirections);
}

// Gram-Schmidt. A direction that is nothing without those before it becomes zero.
void Orthonormalize(Matrix* directions, int dimension) {
  constexpr float kNothing = 1e-12F;
  for (int i = 0; i < kDirections; ++i) {
    float* const row = directions->data() + static_cast<size_t>(i) * dimension;
    for (int pass = 0; pass < 2; ++pass) {  // once more, for what rounding left
      for (int j = 0; j < i; ++j) {
        const float* const before = directions->data() + static_cast<size_t>(j) * dimension;
        cblas_saxpy(dimension, -cblas_sdot(dimension, row, 1, before, 1), before, 1, row, 1);
      }
    }
    const float norm = cblas_snrm2(dimension, row, 1);
    cblas_sscal(dimension, norm > kNothing ? 1 / norm : 0, row, 1);
  }
}

float QuantileOf(std::vector<float>* values, double share) {
  const auto place = values->begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values->size() - 1));
  std::nth_element(values->begin(), place, values->end());
  return *place;
}

}  // namespace

PrincipalPlane::PrincipalPlane(FrameView sample) : mean_(sample.dimension) {
  const OneThread one_thread;
  for (int64_t i = 0; i < sample.rows; ++i) {
    cblas_saxpy(sample.dimension, 1 / static_cast<float>(sample.rows), sample.row(i), 1, mean_.data(), 1);
  }
  Matrix centred(sample.values().begin(), sample.values().end());
  for (int64_t i = 0; i < sample.rows; ++i) {
    cblas_saxpy(sample.dimension, -1, mean_.data(), 1, centred.data() + static_cast<size_t>(i) * sample.dimension, 1);
  }
  FindDirections(centred, sample.rows);
  for (Axis& axis : axes_) FitToSample(centred, sample.rows, &axis);
}

void PrincipalPlane::FindDirections(const Matrix& centred, int64_t rows) {
  const int n = static_cast<int>(rows);
  Matrix directions(static_cast<size_t>(kDirections) * dimension());
  std::mt19937 random(1234);  // NOLINT(cert-msc51-cpp): the same each time is what is wanted
  std::normal_distribution<float> normal;
  for (float& value : directions) value = normal(random);
  Matrix projected(static_cast<size_t>(n) * kDirections);
  for (int i = 0; i < kIterations; ++i) {
    Orthonormalize(&directions, dimension());
    Project(centred, n, dimension(), directions, &projected);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, kDirections, dimension(), n, 1, projected.data(), kDirections,
                centred.data(), dimension(), 0, directions.data(), dimension());
  }
  Orthonormalize(&directions, dimension());
  Project(centred, n, dimension(), directions, &projected);

  std::array<double, kDirections> variances{};
  for (size_t i = 0; i < projected.size(); ++i) variances[i % kDirections] += double{projected[i]} * projected[i];
  std::array<int, kDirections> order{};
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return variances[a] > variances[b]; });
  double all = 0;
  for (const float value : centred) all += double{value} * value;
  for (size_t i = 0; i < axes_.size(); ++i) {
    const auto first = directions.begin() + static_cast<std::ptrdiff_t>(order[i]) * dimension();
    axes_[i].direction.assign(first, first + dimension());
    explained_[i] = all > 0 ? variances[order[i]] / all : 0;
  }
}

void PrincipalPlane::FitToSample(const Matrix& centred, int64_t rows, Axis* axis) {
  // Either way round would do: that in which the largest part points up, so that it is always the same.
  const int dimension = static_cast<int>(axis->direction.size());
  const size_t largest = cblas_isamax(dimension, axis->direction.data(), 1);
  if (axis->direction[largest] < 0) cblas_sscal(dimension, -1, axis->direction.data(), 1);
  std::vector<float> places(static_cast<size_t>(rows));
  cblas_sgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(rows), dimension, 1, centred.data(), dimension,
              axis->direction.data(), 1, 0, places.data(), 1);
  const float low = QuantileOf(&places, kTail);
  const float high = QuantileOf(&places, 1 - kTail);
  const float width = high - low;
  axis->low = low - kMargin * width;
  axis->scale = width > 0 ? 1 / (width * (1 + 2 * kMargin)) : 0;
}

void PrincipalPlane::Apply(FrameView frames, float* out) const {
  const OneThread one_thread;
  std::vector<float> centred(dimension());
  for (int64_t i = 0; i < frames.rows; ++i) {
    std::transform(frames.row(i), frames.row(i) + dimension(), mean_.begin(), centred.begin(), std::minus<>());
    for (const Axis& axis : axes_) {
      const float place = cblas_sdot(dimension(), centred.data(), 1, axis.direction.data(), 1);
      const float scaled = axis.scale > 0 ? (place - axis.low) * axis.scale : 0.5F;
      *out++ = std::clamp(scaled, -kFarthest, 1 + kFarthest);
    }
  }
}

}  // namespace kith::retrieval
