// Centroids in the order in which a matrix product reads them.
//
// As a product the coarse step is small (16 x 768 by 768 x 769), and OpenBLAS spends more time on packing the centroids
// into its own order, anew in every call, than on multiplying. Here they are packed once.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/centroids.h"

namespace kith::retrieval {

class PackedCentroids : public Centroids {
 public:
  PackedCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric, const Kernels& kernels);

  void Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const override;
  int64_t bytes() const override {
    return static_cast<int64_t>((panels_.size() + squared_norms_.size()) * sizeof(float));
  }

 private:
  void Score(const float* queries, int64_t n, float* scores) const;

  const Kernels& kernels_;
  const int64_t nlist_;
  const int dimension_;
  const bool is_l2_;
  std::vector<float> panels_;         // one after the other, see Kernels::multiply; zeros behind the last centroid
  std::vector<float> squared_norms_;  // of the centroids, for L2
};

}  // namespace kith::retrieval
