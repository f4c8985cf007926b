// The coarse step as a faiss index, for faiss's k-means to assign with.
#pragma once

#include <faiss/Index.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "server/retrieval/centroids.h"

namespace kith::retrieval {

// The nearest of n vectors' lists, by as many threads as the caller has (platform.h); the same for any number of them.
// Not by OpenMP's, which the thread sanitizer does not know.
void AssignInParallel(const Centroids& centroids, int dimension, int64_t n, const float* vectors, int64_t* lists,
                      float* distances);

// Holds centroids and finds the one nearest to each vector. It is what k-means spends its time on, and takes a fraction
// of it here (docs/performance.md).
class AssigningIndex : public faiss::Index {
 public:
  AssigningIndex(int dimension, faiss::MetricType metric) : faiss::Index(dimension, metric) {}

  void add(idx_t n, const float* centroids) override;  // to an empty one
  void search(idx_t n, const float* vectors, idx_t k, float* distances, idx_t* labels,
              const faiss::SearchParameters* params) const override;  // of one each: k 1
  void reset() override;

 private:
  std::vector<float> values_;
  std::unique_ptr<const Centroids> centroids_;  // refer to values_
};

}  // namespace kith::retrieval
