// The few directions in which vectors differ most.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/frames.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

// Constant after construction, so thread-safe.
class Projection {
 public:
  // About the first principal components of `sample` (its rows' mean taken to be 0), by two steps of subspace
  // iteration: S' S applied to a few of the rows, made orthonormal. At most `most` of them, and as many at a time as
  // `at_once`, which divides it: no more once so many together hold less than `kLeastShare` of the sample's squares.
  // `most` rows are needed.
  Projection(FrameView sample, int most, int at_once, const Kernels& kernels);

  static constexpr double kLeastShare = 0.01;

  int directions() const { return static_cast<int>(basis_rows_.size()); }

  // out[row * directions()], for n rows of the sample's dimension: what lies in these directions. No longer than the
  // row, but for rounding. What a row gets does not depend on the others.
  void Apply(int64_t n, const float* rows, float* out) const;

  int64_t bytes() const { return static_cast<int64_t>(basis_.size() * sizeof(float)); }

 private:
  void Fit(FrameView sample, int directions);
  void PointToRows(int directions);
  int Worthwhile(FrameView sample, int at_once) const;

  const Kernels& kernels_;
  const int dimension_;
  std::vector<float> basis_;  // [directions, dimension], orthonormal
  std::vector<const float*> basis_rows_;
};

}  // namespace kith::retrieval
