// The coarse step of a search: which inverted lists are nearest to a query.
//
// With RVC's number of lists this step is most of a search. As a matrix product it is small (16 x 768 by 768 x 769),
// and OpenBLAS spends more time on packing the centroids into its own order, anew in every call, than on multiplying.
// Here they are packed once. docs/performance.md has the figures.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// Constant after construction, so thread-safe.
class PackedCentroids {
 public:
  // Copies nlist x dimension centroids. kCosine is as kInnerProduct: its vectors are of norm 1 already.
  PackedCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric);

  // The nprobe (at most nlist) nearest centroids of each of n queries, nearest first: n x nprobe ids and distances
  // (squared L2, or inner products). What a row gets does not depend on the other rows.
  void Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const;

  int64_t bytes() const { return static_cast<int64_t>((panels_.size() + squared_norms_.size()) * sizeof(float)); }

 private:
  void Score(const float* queries, int64_t n, float* scores) const;

  const int64_t nlist_;
  const int dimension_;
  const bool is_l2_;
  // Panels of 16 centroids, value by value: panels_[(panel * dimension + j) * 16 + i] is value j of centroid
  // panel * 16 + i; zeros behind the last centroid.
  std::vector<float> panels_;
  std::vector<float> squared_norms_;  // of the centroids, for L2
};

}  // namespace kith::retrieval
