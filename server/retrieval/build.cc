#include "server/retrieval/build.h"

#include <faiss/Clustering.h>
#include <faiss/IVFlib.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_factory.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/retrieval/assigning_index.h"
#include "server/retrieval/centroids.h"
#include "server/retrieval/faiss_search.h"
#include "server/retrieval/grown_lists.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/one_thread.h"
#include "server/retrieval/progress.h"
#include "server/retrieval/recall.h"

namespace kith::retrieval {
namespace {

// Calls visit(faiss::ClusteringParameters&) for every k-means that training `index` runs, but for those of OPQ.
template <typename Visit>
void ForEachKMeans(faiss::Index* index, const Visit& visit) {
  if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) return ForEachKMeans(refined->base_index, visit);
  if (auto* transformed = dynamic_cast<faiss::IndexPreTransform*>(index)) {
    return ForEachKMeans(transformed->index, visit);
  }
  if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(index)) return ForEachKMeans(graph->storage, visit);
  if (auto* lists = dynamic_cast<faiss::IndexIVF*>(index)) {
    visit(lists->cp);
    ForEachKMeans(lists->quantizer, visit);
  }
  if (auto* halves = dynamic_cast<faiss::MultiIndexQuantizer*>(index)) visit(halves->pq.cp);
  if (auto* pq = dynamic_cast<faiss::IndexIVFPQ*>(index)) visit(pq->pq.cp);
  if (auto* fast_scan = dynamic_cast<faiss::IndexIVFPQFastScan*>(index)) visit(fast_scan->pq.cp);
  if (auto* pq = dynamic_cast<faiss::IndexPQ*>(index)) visit(pq->pq.cp);
  if (auto* fast_scan = dynamic_cast<faiss::IndexPQFastScan*>(index)) visit(fast_scan->pq.cp);
}

// faiss warns on stderr where there are fewer rows than this for each centroid, in the midst of the log.
constexpr int kRowsWithoutAWarning = 1;

// While it lives the OPQ rotations of `index` train with product quantisers that do not warn; faiss's own are made out
// of reach.
class QuietRotations {
 public:
  explicit QuietRotations(faiss::Index* index) {
    if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) index = refined->base_index;
    auto* transformed = dynamic_cast<faiss::IndexPreTransform*>(index);
    if (transformed == nullptr) return;
    for (faiss::VectorTransform* transform : transformed->chain) {
      auto* rotation = dynamic_cast<faiss::OPQMatrix*>(transform);
      if (rotation == nullptr) continue;
      auto quantizer = std::make_unique<faiss::ProductQuantizer>(rotation->d_out, rotation->M, 8);
      quantizer->cp.min_points_per_centroid = kRowsWithoutAWarning;
      rotation->pq = quantizer.get();
      rotations_.emplace_back(rotation, std::move(quantizer));
    }
  }
  ~QuietRotations() {
    for (auto& [rotation, quantizer] : rotations_) rotation->pq = nullptr;
  }
  QuietRotations(const QuietRotations&) = delete;
  QuietRotations& operator=(const QuietRotations&) = delete;

 private:
  std::vector<std::pair<faiss::OPQMatrix*, std::unique_ptr<faiss::ProductQuantizer>>> rotations_;
};

// Leaves out a step of product quantisers without "np": it renumbers codes for a polysemous search, which nobody here
// does, cannot be stopped, and takes seconds for each part.
void LeaveOutPolysemousTraining(faiss::Index* index) {
  if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) return LeaveOutPolysemousTraining(refined->base_index);
  if (auto* transformed = dynamic_cast<faiss::IndexPreTransform*>(index))
    return LeaveOutPolysemousTraining(transformed->index);
  if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(index)) return LeaveOutPolysemousTraining(graph->storage);
  if (auto* lists = dynamic_cast<faiss::IndexIVFPQ*>(index)) lists->do_polysemous_training = false;
  if (auto* pq = dynamic_cast<faiss::IndexPQ*>(index)) pq->do_polysemous_training = false;
}

// The lists inside `index` whose coarse quantiser sees the vectors as they are, or null.
faiss::IndexIVF* ListsOverRawVectors(faiss::Index* index) {
  if (auto* refined = dynamic_cast<faiss::IndexRefine*>(index)) index = refined->base_index;
  return dynamic_cast<faiss::IndexIVF*>(index);
}

// Whether all that is left to train, once the lists have their centroids, are FastScan's codes.
bool HasOnlyTinyCodes(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index))
    return HasOnlyTinyCodes(*refined->base_index);
  const auto* lists = dynamic_cast<const faiss::IndexIVFPQFastScan*>(&index);
  return lists != nullptr && lists->quantizer_trains_alone == 0;
}

class Build {
 public:
  Build(FrameView frames, Metric metric, BuildObserver observe) : frames_(frames), metric_(metric), observe_(observe) {
    if (metric == Metric::kCosine) unit_ = NormalizedRows(frames);
  }

  absl::StatusOr<std::unique_ptr<Index>> Run(const Recipe& recipe, const BuildPlan& plan) {
    index_.reset(faiss::index_factory(frames_.dimension, plan.factory.c_str(),
                                      metric_ == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT));
    ForEachKMeans(index_.get(), [&](faiss::ClusteringParameters& parameters) {
      parameters.seed = static_cast<int>(recipe.seed);
      parameters.min_points_per_centroid = kRowsWithoutAWarning;
    });
    LeaveOutPolysemousTraining(index_.get());
    if (absl::Status status = Train(); !status.ok()) return status;
    if (absl::Status status = Add(); !status.ok()) return status;
    return Finish(recipe, plan);
  }

 private:
  const float* vectors() const { return unit_.empty() ? frames_.data : unit_.data(); }
  bool Observe(BuildPhase phase, int64_t done, int64_t total) { return observe_(phase, done, total); }

  absl::Status Train() {
    if (auto* lists = ListsOverRawVectors(index_.get()); lists != nullptr && lists->quantizer_trains_alone == 0) {
      if (absl::Status status = TrainQuantizer(lists); !status.ok()) return status;
    } else if (!Observe(BuildPhase::kTraining, 0, 0)) {
      return Cancelled();
    }
    const QuietRotations quiet(index_.get());
    // What is left: codes, transforms; a trained quantiser stays as it is. FastScan's k-means are hundreds of tiny
    // ones, and threads that wait for each other in each iteration take minutes where the cores are busy; one takes
    // seconds.
    std::optional<OneThread> alone;
    if (HasOnlyTinyCodes(*index_)) alone.emplace();
    index_->train(frames_.rows, vectors());
    return absl::OkStatus();
  }

  // faiss's own k-means an iteration at a time, so that it can be watched and stopped: the centroids of one are where
  // the next starts, which is what faiss does inside.
  absl::Status TrainQuantizer(faiss::IndexIVF* lists) {
    faiss::ClusteringParameters parameters = lists->cp;
    parameters.niter = 1;
    faiss::Clustering clustering(frames_.dimension, static_cast<int>(lists->nlist), parameters);
    AssigningIndex assigning(frames_.dimension, lists->quantizer->metric_type);
    for (int iteration = 0; iteration < lists->cp.niter; ++iteration) {
      if (!Observe(BuildPhase::kTraining, iteration, lists->cp.niter)) return Cancelled();
      clustering.train(frames_.rows, vectors(), assigning);
    }
    lists->quantizer->reset();
    lists->quantizer->add(static_cast<int64_t>(lists->nlist), clustering.centroids.data());
    lists->quantizer->is_trained = true;
    return absl::OkStatus();
  }

  absl::Status Add() {
    constexpr int64_t kRowsAtOnce = 4096;
    const std::unique_ptr<const Centroids> centroids = PackCentroids(*index_);
    for (int64_t first = 0; first < frames_.rows; first += kRowsAtOnce) {
      if (!Observe(BuildPhase::kAdding, first, frames_.rows)) return Cancelled();
      const int64_t rows = std::min(kRowsAtOnce, frames_.rows - first);
      const float* part = vectors() + static_cast<size_t>(first) * frames_.dimension;
      if (centroids != nullptr) {
        AddToLists(*centroids, rows, part);
      } else {
        index_->add(rows, part);
      }
    }
    return absl::OkStatus();
  }

  void AddToLists(const Centroids& centroids, int64_t rows, const float* part) {
    std::vector<int64_t> assigned(rows);
    std::vector<float> distances(rows);
    AssignInParallel(centroids, frames_.dimension, rows, part, assigned.data(), distances.data());
    dynamic_cast<faiss::IndexIVF&>(*index_).add_core(rows, part, nullptr, assigned.data());
  }

  absl::StatusOr<std::unique_ptr<Index>> Finish(const Recipe& recipe, const BuildPlan& plan) {
    auto* refined = dynamic_cast<faiss::IndexRefine*>(index_.get());
    faiss::IndexIVF* lists =
        faiss::ivflib::try_extract_index_ivf(refined != nullptr ? refined->base_index : index_.get());
    BuildReport report;
    report.factory = plan.factory;
    report.nlist = lists != nullptr ? static_cast<int64_t>(lists->nlist) : 0;
    report.k_factor = refined != nullptr ? plan.k_factor : 0;
    const absl::StatusOr<RecallChoice> choice =
        MeasureRecall(*index_, frames_, metric_, plan, report.nlist, recipe.seed,
                      [&](int64_t done, int64_t total) { return Observe(BuildPhase::kMeasuring, done, total); });
    if (!choice.ok()) return choice.status();
    report.nprobe = choice->nprobe;
    report.recall_at_8 = choice->recall_at_8;
    // In the file as well, for those who read it with faiss.
    if (lists != nullptr) lists->nprobe = static_cast<size_t>(choice->nprobe);
    if (refined != nullptr) refined->k_factor = plan.k_factor;
    if (lists != nullptr) ShrinkLists(lists);
    return std::make_unique<Index>(std::move(index_), frames_, metric_, std::move(report));
  }

  FrameView frames_;
  Metric metric_;
  BuildObserver observe_;
  std::vector<float> unit_;  // the frames at norm 1, for cosine
  std::unique_ptr<faiss::Index> index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Index>> BuildIndex(const Recipe& recipe, FrameView frames, BuildObserver observe) {
  const absl::StatusOr<BuildPlan> plan = PlanBuild(recipe, frames.rows, frames.dimension);
  if (!plan.ok()) return plan.status();
  if (absl::Status status = CheckNorms(frames); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Index>> index;
  const absl::Status status = Guarded("training", [&] {
    index = Build(frames, recipe.metric, observe).Run(recipe, *plan);
    return index.status();
  });
  if (!status.ok()) return status;
  return index;
}

}  // namespace kith::retrieval
