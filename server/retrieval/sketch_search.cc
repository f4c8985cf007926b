#include "server/retrieval/sketch_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "server/retrieval/list_search.h"
#include "server/retrieval/nearest_heap.h"
#include "server/retrieval/search.h"
#include "server/retrieval/smallest.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 64;
// Where more than one in so many rows is left, it takes less time to read all of each list once for all queries.
constexpr size_t kWorthwhile = 2;
constexpr float kUnderflow = 1e-36f;  // of squares

// One query after the other; keeps its buffers.
class SketchSearch {
 public:
  // The candidates of the query from here on: the rows of the lists that are `assigned`.
  void Begin(const ListSketches& sketches, const float* query, const float* projected, int nprobe,
             const int64_t* assigned) {
    sketches_ = &sketches;
    query_ = query;
    probes_.clear();
    centroids_.clear();
    int64_t candidates = 0;
    for (int p = 0; p < nprobe; ++p) {
      if (assigned[p] < 0) continue;
      probes_.push_back({candidates, assigned[p]});
      centroids_.push_back(sketches.centroid(assigned[p]));
      candidates += sketches.lists().rows(assigned[p]);
    }
    bounds_.resize(candidates);
    FindBounds(projected);
  }

  // The rows with the lowest bounds first: they give a limit that leaves out most of the others. False where it leaves
  // out too few to be worth it: then not all were looked at.
  bool FindNearest(int k, NearestHeap* nearest) {
    if (bounds_.empty()) return true;
    const auto first = static_cast<int>(std::min<size_t>(2 * static_cast<size_t>(k), bounds_.size()));
    first_.resize(first);
    Smallest(sketches_->kernels(), bounds_, first, first_.data(), &scores_);
    places_.assign(first_.begin(), first_.end());
    Compare(nearest);
    if (first_.size() == bounds_.size()) return true;
    for (const int64_t place : first_) bounds_[place] = std::numeric_limits<float>::infinity();
    const float limit = nearest->limit() * (1 + 2 * sketches_->rounding()) + kUnderflow;
    places_.resize(bounds_.size());
    places_.resize(
        sketches_->kernels().at_most(bounds_.data(), static_cast<int>(bounds_.size()), limit, places_.data()));
    if (places_.size() > bounds_.size() / kWorthwhile) return false;
    Compare(nearest);
    return true;
  }

 private:
  struct Probe {
    int64_t first;  // of its rows, among the candidates
    int64_t list;
  };

  void FindBounds(const float* projected) {
    const int dimension = sketches_->lists().dimension();
    const Kernels& kernels = sketches_->kernels();
    scores_.resize(probes_.size());
    kernels.squared_distances(&query_, 1, centroids_.data(), static_cast<int>(centroids_.size()), dimension,
                              scores_.data());
    float squared_norm;
    kernels.inner_products(&query_, 1, &query_, 1, dimension, &squared_norm);
    const float norm = std::sqrt(squared_norm);
    for (size_t p = 0; p < probes_.size(); ++p) {
      sketches_->Bounds(projected, norm, probes_[p].list, scores_[p], bounds_.data() + probes_[p].first);
    }
  }

  // The candidates at places_, exactly.
  void Compare(NearestHeap* nearest) {
    const FlatLists& lists = sketches_->lists();
    const float* rows[kRowsAtOnce];
    int64_t ids[kRowsAtOnce];
    float found[kRowsAtOnce];
    const auto count = static_cast<int64_t>(places_.size());
    for (int64_t first = 0; first < count; first += kRowsAtOnce) {
      const int64_t at_once = std::min(kRowsAtOnce, count - first);
      for (int64_t i = 0; i < at_once; ++i) {
        const Probe& probe = ProbeOf(places_[first + i]);
        const int64_t row = places_[first + i] - probe.first;
        rows[i] = lists.vectors(probe.list) + row * lists.dimension();
        ids[i] = lists.ids(probe.list)[row];
      }
      sketches_->kernels().squared_distances(&query_, 1, rows, static_cast<int>(at_once), lists.dimension(), found);
      for (int64_t i = 0; i < at_once; ++i) nearest->Offer(found[i], ids[i]);
    }
  }

  const Probe& ProbeOf(int64_t place) const {
    const auto next = std::upper_bound(probes_.begin(), probes_.end(), place,
                                       [](int64_t wanted, const Probe& probe) { return wanted < probe.first; });
    return *std::prev(next);
  }

  const ListSketches* sketches_ = nullptr;
  const float* query_ = nullptr;
  std::vector<Probe> probes_;
  std::vector<const float*> centroids_;
  std::vector<float> bounds_;
  std::vector<float> scores_;
  std::vector<int64_t> first_;
  std::vector<int32_t> places_;
};

// Queries that are to be compared with all of their lists.
class WholeLists {
 public:
  void Add(const float* query, int dimension, const int64_t* assigned, int nprobe, int64_t row) {
    queries_.insert(queries_.end(), query, query + dimension);
    assigned_.insert(assigned_.end(), assigned, assigned + nprobe);
    rows_.push_back(row);
  }

  void Search(const ListSketches& sketches, int nprobe, int k, float* distances, int64_t* ids) const {
    const auto count = static_cast<int64_t>(rows_.size());
    if (count == 0) return;
    Neighbors found(count, k);
    SearchFlatLists(sketches.lists(), sketches.kernels(), count, queries_.data(), nprobe, assigned_.data(), k,
                    found.distances.data(), found.ids.data());
    for (int64_t i = 0; i < count; ++i) {
      std::copy_n(found.distances.begin() + i * k, k, distances + rows_[i] * k);
      std::copy_n(found.ids.begin() + i * k, k, ids + rows_[i] * k);
    }
  }

 private:
  std::vector<float> queries_;
  std::vector<int64_t> assigned_;
  std::vector<int64_t> rows_;
};

}  // namespace

void SearchSketchedLists(const ListSketches& sketches, int64_t n, const float* queries, int nprobe,
                         const int64_t* assigned, int k, float* distances, int64_t* ids) {
  constexpr int64_t kQueriesAtOnce = 64;
  thread_local SketchSearch search;
  thread_local std::vector<float> projected;
  const int dimension = sketches.lists().dimension();
  WholeLists rest;
  for (int64_t first = 0; first < n; first += kQueriesAtOnce) {
    const int64_t count = std::min(kQueriesAtOnce, n - first);
    projected.resize(count * sketches.directions());
    sketches.Project(count, queries + first * dimension, projected.data());
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = first + i;
      const float* query = queries + row * dimension;
      NearestHeap nearest(k, distances + row * k, ids + row * k);
      nearest.Clear();
      search.Begin(sketches, query, projected.data() + i * sketches.directions(), nprobe, assigned + row * nprobe);
      if (search.FindNearest(k, &nearest)) {
        nearest.Sort();
      } else {
        rest.Add(query, dimension, assigned + row * nprobe, nprobe, row);
      }
    }
  }
  rest.Search(sketches, nprobe, k, distances, ids);
}

}  // namespace kith::retrieval
