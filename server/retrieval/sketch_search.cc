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
constexpr int64_t kWorthwhile = 2;
constexpr float kUnderflow = 1e-36f;  // of squares

// One query after the other; keeps its buffers.
class SketchSearch {
 public:
  // Offers `nearest` the rows of the lists that are `assigned`, all that can be among its k. False where that is no
  // gain over reading all of them; then not all were looked at.
  bool Search(const ListSketches& sketches, const float* query, const float* projected, int nprobe,
              const int64_t* assigned, const float* coarse, int k, NearestHeap* nearest) {
    sketches_ = &sketches;
    query_ = query;
    const int64_t candidates = TakeLists(nprobe, assigned, coarse);
    const int64_t first = 2 * static_cast<int64_t>(k);
    if (first > candidates / kWorthwhile) return false;
    FindBounds(projected, candidates);
    // Those with the lowest bounds first: they give a limit that leaves out most of the others.
    FindLowest(static_cast<int>(first));
    Compare(nearest);
    for (const int64_t place : places_) bounds_[place] = std::numeric_limits<float>::infinity();
    FindAtMost(nearest->limit() * (1 + 2 * sketches.rounding()) + kUnderflow);
    if (static_cast<int64_t>(places_.size()) > candidates / kWorthwhile) return false;
    Compare(nearest);
    return true;
  }

 private:
  struct Probe {
    int64_t first;  // of its rows, among the candidates
    int64_t list;
    float centroid_distance;  // squared
  };

  // Returns how many rows they have.
  int64_t TakeLists(int nprobe, const int64_t* assigned, const float* coarse) {
    probes_.clear();
    int64_t candidates = 0;
    for (int p = 0; p < nprobe; ++p) {
      if (assigned[p] < 0) continue;
      probes_.push_back({candidates, assigned[p], coarse[p]});
      candidates += sketches_->lists().rows(assigned[p]);
    }
    return candidates;
  }

  void FindBounds(const float* projected, int64_t candidates) {
    bounds_.resize(candidates);
    const int dimension = sketches_->lists().dimension();
    float squared_norm;
    sketches_->kernels().inner_products(&query_, 1, &query_, 1, dimension, &squared_norm);
    const float norm = std::sqrt(squared_norm);
    for (const Probe& probe : probes_) {
      sketches_->Bounds(projected, norm, probe.list, probe.centroid_distance, bounds_.data() + probe.first);
    }
  }

  // Into places_, those of the `count` lowest bounds, and of any that are as low as the last of them.
  void FindLowest(int count) {
    constexpr int kFew = 128;  // that are put in order as fast as all are parted
    if (count <= kFew) {
      lowest_.resize(count);
      Smallest(sketches_->kernels(), bounds_, count, lowest_.data(), &scores_);
      places_.assign(lowest_.begin(), lowest_.end());
    } else {
      scores_ = bounds_;
      std::nth_element(scores_.begin(), scores_.begin() + count - 1, scores_.end());
      FindAtMost(scores_[count - 1]);
    }
  }

  // Into places_.
  void FindAtMost(float limit) {
    places_.resize(bounds_.size());
    places_.resize(
        sketches_->kernels().at_most(bounds_.data(), static_cast<int>(bounds_.size()), limit, places_.data()));
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
  std::vector<float> bounds_;
  std::vector<float> scores_;
  std::vector<int64_t> lowest_;
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
                         const int64_t* assigned, const float* coarse, int k, float* distances, int64_t* ids) {
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
      if (search.Search(sketches, query, projected.data() + i * sketches.directions(), nprobe, assigned + row * nprobe,
                        coarse + row * nprobe, k, &nearest)) {
        nearest.Sort();
      } else {
        rest.Add(query, dimension, assigned + row * nprobe, nprobe, row);
      }
    }
  }
  rest.Search(sketches, nprobe, k, distances, ids);
}

}  // namespace kith::retrieval
