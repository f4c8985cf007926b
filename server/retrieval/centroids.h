// The coarse step of a search: which inverted lists are nearest to a query.
//
// With RVC's number of lists this step is most of a search at nprobe 1. docs/performance.md has the figures.
#pragma once

#include <cstdint>
#include <memory>

#include "server/retrieval/kernels/kernels.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// Constant after construction, so thread-safe.
class Centroids {
 public:
  virtual ~Centroids() = default;

  // The nprobe (at most nlist) nearest centroids of each of n queries, nearest first: n x nprobe ids and distances
  // (squared L2, or inner products). What a row gets does not depend on the other rows.
  virtual void Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const = 0;

  // Of memory, besides the centroids themselves.
  virtual int64_t bytes() const = 0;
};

// For nlist x dimension `centroids`, which have to stay, in the form that `kernels` are fastest with. kCosine is as
// kInnerProduct: its vectors are of norm 1 already.
std::unique_ptr<const Centroids> MakeCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric,
                                               const Kernels& kernels);

}  // namespace kith::retrieval
