// What the files of panel_kernel.h have in common; included by those alone.
#pragma once

#include "server/retrieval/panel_kernel.h"

namespace kith::retrieval::panel {
namespace {  // a copy for each, with its own instructions

template <typename Vector, int kCount>
void MultiplyCount(const float* panel, int dimension, const float* const* rows, float* products) {
  constexpr int kWidth = sizeof(Vector) / sizeof(float);
  constexpr int kVectors = kPanel / kWidth;
  Vector sums[kCount][kVectors] = {};
  for (int j = 0; j < dimension; ++j) {
    Vector values[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      __builtin_memcpy(&values[v], panel + j * kPanel + v * kWidth, sizeof(Vector));  // one unaligned load
    }
    for (int r = 0; r < kCount; ++r) {
      for (int v = 0; v < kVectors; ++v) sums[r][v] += values[v] * rows[r][j];
    }
  }
  __builtin_memcpy(products, sums, sizeof(sums));
}

template <typename Vector>
void MultiplyRows(const float* panel, int dimension, const float* const* rows, int count, float* products) {
  switch (count) {
    case 1:
      return MultiplyCount<Vector, 1>(panel, dimension, rows, products);
    case 2:
      return MultiplyCount<Vector, 2>(panel, dimension, rows, products);
    case 3:
      return MultiplyCount<Vector, 3>(panel, dimension, rows, products);
    case 4:
      return MultiplyCount<Vector, 4>(panel, dimension, rows, products);
    case 5:
      return MultiplyCount<Vector, 5>(panel, dimension, rows, products);
    default:
      return MultiplyCount<Vector, kRows>(panel, dimension, rows, products);
  }
}

}  // namespace
}  // namespace kith::retrieval::panel
