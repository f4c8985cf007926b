#include "server/retrieval/assigning_index.h"

#include <faiss/impl/FaissAssert.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

void AssignInParallel(const Centroids& centroids, int dimension, int64_t n, const float* vectors, int64_t* lists,
                      float* distances) {
  constexpr int64_t kRowsAtOnce = 960;
  std::atomic<bool> out_of_memory{false};
#pragma omp parallel for schedule(dynamic)
  for (int64_t first = 0; first < n; first += kRowsAtOnce) {
    try {  // what leaves the region ends the process
      centroids.Nearest(std::min(kRowsAtOnce, n - first), vectors + first * dimension, 1, lists + first,
                        distances + first);
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  }
  if (out_of_memory) throw std::bad_alloc();
}

void AssigningIndex::add(idx_t n, const float* centroids) {
  FAISS_THROW_IF_NOT(ntotal == 0);
  values_.assign(centroids, centroids + n * d);
  centroids_ = MakeCentroids(values_.data(), n, d,
                             metric_type == faiss::METRIC_L2 ? Metric::kL2 : Metric::kInnerProduct, BestKernels());
  ntotal = n;
}

void AssigningIndex::search(idx_t n, const float* vectors, idx_t k, float* distances, idx_t* labels,
                            const faiss::SearchParameters* params) const {
  FAISS_THROW_IF_NOT(k == 1 && ntotal > 0 && params == nullptr);
  AssignInParallel(*centroids_, d, n, vectors, labels, distances);
}

void AssigningIndex::reset() {
  centroids_.reset();
  values_.clear();
  ntotal = 0;
}

}  // namespace kith::retrieval
