#include "server/retrieval/centroids.h"

#include "server/retrieval/byte_centroids.h"
#include "server/retrieval/packed_centroids.h"

namespace kith::retrieval {

std::unique_ptr<const Centroids> MakeCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric,
                                               const Kernels& kernels) {
  if (kernels.score_bytes != nullptr) {
    return std::make_unique<ByteCentroids>(centroids, nlist, dimension, metric, kernels);
  }
  return std::make_unique<PackedCentroids>(centroids, nlist, dimension, metric, kernels);
}

}  // namespace kith::retrieval
