#include "server/retrieval/projection.h"

#include <cblas.h>
#include <faiss/utils/utils.h>

#include <algorithm>

#include "server/retrieval/one_thread.h"

namespace kith::retrieval {
namespace {

constexpr int kIterations = 2;
constexpr int64_t kRowsAtOnce = 64;

}  // namespace

Projection::Projection(FrameView sample, int most, int at_once, const Kernels& kernels)
    : kernels_(kernels), dimension_(sample.dimension), basis_(static_cast<size_t>(most) * sample.dimension) {
  const OneThread alone;
  Fit(sample, most);
  PointToRows(most);
  const int kept = Worthwhile(sample, at_once);
  basis_.resize(static_cast<size_t>(kept) * dimension_);
  basis_.shrink_to_fit();
  PointToRows(kept);
}

void Projection::PointToRows(int directions) {
  basis_rows_.clear();
  for (int i = 0; i < directions; ++i) basis_rows_.push_back(basis_.data() + static_cast<size_t>(i) * dimension_);
}

void Projection::Fit(FrameView sample, int directions) {
  const auto rows = static_cast<int>(sample.rows);
  for (int i = 0; i < directions; ++i) {  // from all over the sample
    std::copy_n(sample.row(static_cast<int64_t>(i) * rows / directions), dimension_,
                basis_.data() + static_cast<size_t>(i) * dimension_);
  }
  std::vector<float> products(static_cast<size_t>(rows) * directions);
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, directions, dimension_, 1, sample.data, dimension_,
                basis_.data(), dimension_, 0, products.data(), directions);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, directions, dimension_, rows, 1, products.data(), directions,
                sample.data, dimension_, 0, basis_.data(), dimension_);
    faiss::matrix_qr(dimension_, directions, basis_.data());
  }
}

// How many directions to keep. Those that hold most come first, because the QR takes them in the order of the rows.
int Projection::Worthwhile(FrameView sample, int at_once) const {
  const int all = directions();
  std::vector<float> projected(sample.rows * all);
  Apply(sample.rows, sample.data, projected.data());
  std::vector<double> held(all / at_once);
  for (size_t i = 0; i < projected.size(); ++i) {
    held[i % all / at_once] += static_cast<double>(projected[i]) * projected[i];
  }
  double total = 0;
  for (const float value : sample.values()) total += static_cast<double>(value) * value;
  size_t kept = 1;
  while (kept < held.size() && held[kept] > kLeastShare * total) ++kept;
  return static_cast<int>(kept) * at_once;
}

void Projection::Apply(int64_t n, const float* rows, float* out) const {
  const float* pointers[kRowsAtOnce];
  for (int64_t first = 0; first < n; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, n - first);
    for (int64_t i = 0; i < count; ++i) pointers[i] = rows + (first + i) * dimension_;
    kernels_.inner_products(pointers, static_cast<int>(count), basis_rows_.data(), directions(), dimension_,
                            out + first * directions());
  }
}

}  // namespace kith::retrieval
