// Matrices of frames: row-major float32, one row a HuBERT/ContentVec feature vector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace kith::retrieval {

// A view of rows x dimension floats that somebody else owns.
struct FrameView {
  const float* data = nullptr;
  int64_t rows = 0;
  int dimension = 0;

  size_t size() const { return static_cast<size_t>(rows) * dimension; }
  const float* row(int64_t i) const { return data + static_cast<size_t>(i) * dimension; }
  absl::Span<const float> values() const { return {data, size()}; }
  // Rows first to first + count - 1.
  FrameView Slice(int64_t first, int64_t count) const { return {row(first), count, dimension}; }
};

// The same, owned. values.size() is a multiple of dimension.
struct Frames {
  int dimension = 0;
  std::vector<float> values;

  int64_t rows() const { return dimension == 0 ? 0 : static_cast<int64_t>(values.size()) / dimension; }
  FrameView view() const { return {values.data(), rows(), dimension}; }
};

}  // namespace kith::retrieval
