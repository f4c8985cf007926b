#include "server/retrieval/recall.h"

#include <algorithm>
#include <vector>

#include "server/retrieval/centroids.h"
#include "server/retrieval/exact.h"
#include "server/retrieval/faiss_search.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/search.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kQueryValues = 1 << 22;  // in all
constexpr int kNeighbors = 8;
constexpr double kPlateau = 0.005;

// Of very long rows there are fewer, for the memory.
int64_t QueryCount(int dimension) { return std::min(kMeasuringQueries, kQueryValues / dimension); }

class Measurement {
 public:
  Measurement(const faiss::Index& index, FrameView frames, Metric metric, float k_factor, int64_t seed)
      : index_(index),
        centroids_(PackCentroids(index)),
        queries_count_(QueryCount(frames.dimension)),
        k_(static_cast<int>(std::min<int64_t>(kNeighbors, frames.rows))),
        k_factor_(k_factor) {
    const Frames queries = Mixtures(frames, queries_count_, seed);
    exact_ = ExactIds(frames, queries.view(), metric, k_);
    queries_ = metric == Metric::kCosine ? NormalizedRows(queries.view()) : queries.values;
  }

  double RecallAt(int nprobe) const {
    std::vector<int64_t> ids(queries_count_ * k_);
    std::vector<float> distances(queries_count_ * k_);
    SearchShared(index_, centroids_.get(), nullptr, queries_count_, queries_.data(), {k_, nprobe, k_factor_},
                 distances.data(), ids.data());
    return RecallOf(ids, exact_, k_);
  }

 private:
  const faiss::Index& index_;
  const std::unique_ptr<const Centroids> centroids_;
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

  if (!observe(0, total)) return Cancelled();
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
