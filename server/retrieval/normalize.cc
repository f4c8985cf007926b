#include "server/retrieval/normalize.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

double Norm(const float* row, int dimension) {
  double squared = 0;
  for (int j = 0; j < dimension; ++j) squared += static_cast<double>(row[j]) * row[j];
  return std::sqrt(squared);
}

std::vector<float> NormalizedRows(FrameView frames) {
  std::vector<float> unit(frames.values().begin(), frames.values().end());
  for (int64_t i = 0; i < frames.rows; ++i) {
    float* row = unit.data() + static_cast<size_t>(i) * frames.dimension;
    const double norm = std::max(kSmallestNorm, Norm(row, frames.dimension));
    for (int j = 0; j < frames.dimension; ++j) row[j] = static_cast<float>(row[j] / norm);
  }
  return unit;
}

std::vector<int64_t> TooLargeRows(FrameView frames) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < frames.rows; ++i) {
    const float* const row = frames.row(i);
    float squared = 0;
    BestKernels().inner_products(&row, 1, &row, 1, frames.dimension, &squared);
    if (!(squared <= kMaxNorm * kMaxNorm)) rows.push_back(i);
  }
  return rows;
}

absl::Status CheckNorms(FrameView frames) {
  const std::vector<int64_t> too_large = TooLargeRows(frames);
  if (too_large.empty()) return absl::OkStatus();
  return Error(Reason::kNotFinite, absl::StrCat("frames: row ", too_large.front(), " has a norm above ", kMaxNorm,
                                                ": distances to it would not be finite; check where it comes from"));
}

}  // namespace kith::retrieval
