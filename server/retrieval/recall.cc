#include "server/retrieval/recall.h"

#include <faiss/IndexFlat.h>
#include <faiss/utils/distances.h>

#include <algorithm>
#include <random>
#include <vector>

#include "server/retrieval/faiss_search.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/packed_centroids.h"
#include "server/retrieval/search.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kQueries = 512;
constexpr int64_t kQueryValues = 1 << 22;  // in all: of very long rows there are fewer queries
constexpr int kNeighbors = 8;
constexpr double kPlateau = 0.005;

int64_t QueryCount(int dimension) { return std::min(kQueries, kQueryValues / dimension); }

Frames Mixtures(FrameView frames, int64_t seed) {
  const int64_t count = QueryCount(frames.dimension);
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  std::uniform_int_distribution<int64_t> any_row(0, frames.rows - 1);
  Frames queries{frames.dimension, {}};
  queries.values.reserve(count * frames.dimension);
  for (int64_t i = 0; i < count; ++i) {
    const float* a = frames.row(any_row(random));
    const float* b = frames.row(any_row(random));
    for (int j = 0; j < frames.dimension; ++j) queries.values.push_back((random() & 1) != 0 ? a[j] : b[j]);
  }
  return queries;
}

// The exact ids of the nearest, count x k, in the metric's own space.
std::vector<int64_t> ExactNeighbors(const float* vectors, FrameView shape, const float* queries, size_t count,
                                    Metric metric, int k) {
  std::vector<int64_t> ids(count * k);
  std::vector<float> distances(count * k);
  const auto n = static_cast<size_t>(shape.rows);
  if (metric == Metric::kL2) {
    faiss::float_maxheap_array_t heaps{count, static_cast<size_t>(k), ids.data(), distances.data()};
    faiss::knn_L2sqr(queries, vectors, shape.dimension, count, n, &heaps);
  } else {
    faiss::float_minheap_array_t heaps{count, static_cast<size_t>(k), ids.data(), distances.data()};
    faiss::knn_inner_product(queries, vectors, shape.dimension, count, n, &heaps);
  }
  return ids;
}

class Measurement {
 public:
  Measurement(const faiss::Index& index, FrameView frames, Metric metric, float k_factor, int64_t seed)
      : index_(index),
        centroids_(PackCentroids(index)),
        queries_count_(QueryCount(frames.dimension)),
        k_(static_cast<int>(std::min<int64_t>(kNeighbors, frames.rows))),
        k_factor_(k_factor) {
    queries_ = Mixtures(frames, seed).values;
    std::vector<float> unit;
    const float* vectors = frames.data;
    if (metric == Metric::kCosine) {
      unit = NormalizedRows(frames);
      vectors = unit.data();
      queries_ = NormalizedRows({queries_.data(), queries_count_, frames.dimension});
    }
    exact_ = ExactNeighbors(vectors, frames, queries_.data(), queries_count_, metric, k_);
  }

  double RecallAt(int nprobe) const {
    std::vector<int64_t> ids(queries_count_ * k_);
    std::vector<float> distances(queries_count_ * k_);
    SearchShared(index_, centroids_.get(), queries_count_, queries_.data(), {k_, nprobe, k_factor_}, distances.data(),
                 ids.data());
    int64_t found = 0;
    for (int64_t i = 0; i < queries_count_; ++i) {
      const auto exact = exact_.begin() + i * k_;
      found += std::count_if(ids.begin() + i * k_, ids.begin() + (i + 1) * k_,
                             [&](int64_t id) { return std::find(exact, exact + k_, id) != exact + k_; });
    }
    return static_cast<double>(found) / static_cast<double>(queries_count_ * k_);
  }

 private:
  const faiss::Index& index_;
  const std::unique_ptr<PackedCentroids> centroids_;
  const int64_t queries_count_;
  const int k_;
  const float k_factor_;
  std::vector<float> queries_;
  std::vector<int64_t> exact_;
};

}  // namespace

absl::StatusOr<RecallChoice> MeasureRecall(const faiss::Index& index, FrameView frames, Metric metric,
                                           const BuildPlan& plan, int64_t nlist, int64_t seed, StepObserver observe) {
  int64_t steps = 0;
  int64_t total = plan.nprobe ? 2 : 12;
  const auto step = [&] { return observe(std::min(++steps, total), total); };

  const Measurement measurement(index, frames, metric, plan.k_factor, seed);
  if (!step()) return Cancelled();
  if (plan.nprobe) {
    const int nprobe = static_cast<int>(std::min<int64_t>(*plan.nprobe, nlist));
    return RecallChoice{nprobe, measurement.RecallAt(nprobe)};
  }

  // Doubling until the target is reached, then halving the last stretch.
  std::vector<RecallChoice> tried;
  for (int64_t nprobe = 1;; nprobe = std::min(2 * nprobe, nlist)) {
    tried.push_back({static_cast<int>(nprobe), measurement.RecallAt(static_cast<int>(nprobe))});
    if (!step()) return Cancelled();
    if (tried.back().recall_at_8 >= kTargetRecall || nprobe == nlist) break;
  }
  if (tried.back().recall_at_8 < kTargetRecall) {
    const auto best = std::max_element(tried.begin(), tried.end(), [](const RecallChoice& a, const RecallChoice& b) {
      return a.recall_at_8 < b.recall_at_8;
    });
    const double good_enough = best->recall_at_8 - kPlateau;
    return *std::find_if(tried.begin(), tried.end(),
                         [&](const RecallChoice& c) { return c.recall_at_8 >= good_enough; });
  }
  RecallChoice best = tried.back();
  int too_small = tried.size() > 1 ? tried[tried.size() - 2].nprobe : 0;
  while (best.nprobe - too_small > 1) {
    const int middle = (best.nprobe + too_small) / 2;
    const double recall = measurement.RecallAt(middle);
    if (!step()) return Cancelled();
    if (recall >= kTargetRecall) {
      best = {middle, recall};
    } else {
      too_small = middle;
    }
  }
  return best;
}

}  // namespace kith::retrieval
