#include "server/retrieval/assigning_index.h"

#include <faiss/impl/FaissAssert.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <thread>

#include "server/retrieval/kernels/kernels.h"
#include "server/retrieval/platform.h"

namespace kith::retrieval {

void AssignInParallel(const Centroids& centroids, int dimension, int64_t n, const float* vectors, int64_t* lists,
                      float* distances) {
  constexpr int64_t kRowsAtOnce = 960;
  std::atomic<int64_t> next{0};
  std::atomic<bool> out_of_memory{false};
  const auto work = [&] {
    for (int64_t first = next.fetch_add(kRowsAtOnce); first < n; first = next.fetch_add(kRowsAtOnce)) {
      try {
        centroids.Nearest(std::min(kRowsAtOnce, n - first), vectors + first * dimension, 1, lists + first,
                          distances + first);
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
      }
    }
  };
  const int64_t parts = (n + kRowsAtOnce - 1) / kRowsAtOnce;
  std::vector<std::thread> helpers;
  try {
    while (static_cast<int64_t>(helpers.size()) + 1 < std::min<int64_t>(ThreadsOfThisThread(), parts)) {
      helpers.emplace_back(work);
    }
  } catch (const std::exception&) {  // no more threads are to be had: those that there are do all of it
  }
  work();
  for (std::thread& helper : helpers) helper.join();
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
