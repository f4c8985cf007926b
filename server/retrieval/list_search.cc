#include "server/retrieval/list_search.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "server/retrieval/nearest_heap.h"

namespace kith::retrieval {
namespace {

// Of a list and of the queries that meet in it: few enough to stay in the core's cache while they are compared.
constexpr int64_t kRowsAtOnce = 64;
constexpr int64_t kQueriesAtOnce = 32;

struct Probe {
  int64_t list;
  int64_t query;
};

class Search {
 public:
  Search(const FlatLists& lists, const Kernels& kernels, const float* queries, int k, float* distances, int64_t* ids)
      : lists_(lists),
        compare_(lists.is_l2() ? kernels.squared_distances : kernels.inner_products),
        queries_(queries),
        k_(k),
        distances_(distances),
        ids_(ids) {}

  // Of all `probes` into one list.
  void Scan(const Probe* probes, int64_t count) {
    const int64_t list = probes->list;
    const int64_t rows = lists_.rows(list);
    for (int64_t row = 0; row < rows; row += kRowsAtOnce) {
      for (int64_t probe = 0; probe < count; probe += kQueriesAtOnce) {
        Compare(list, row, std::min(kRowsAtOnce, rows - row), probes + probe, std::min(kQueriesAtOnce, count - probe));
      }
    }
  }

 private:
  void Compare(int64_t list, int64_t first, int64_t rows, const Probe* probes, int64_t count) {
    const float* vectors[kRowsAtOnce];
    const float* queries[kQueriesAtOnce];
    float found[kRowsAtOnce * kQueriesAtOnce];
    const int64_t dimension = lists_.dimension();
    const float* const start = lists_.vectors(list) + first * dimension;
    for (int64_t i = 0; i < rows; ++i) vectors[i] = start + i * dimension;
    for (int64_t q = 0; q < count; ++q) queries[q] = queries_ + probes[q].query * dimension;
    compare_(queries, static_cast<int>(count), vectors, static_cast<int>(rows), lists_.dimension(), found);
    for (int64_t q = 0; q < count; ++q) {
      Offer(probes[q].query, found + q * rows, lists_.ids(list) + first, rows);
    }
  }

  void Offer(int64_t query, const float* found, const int64_t* ids, int64_t rows) {
    NearestHeap nearest(k_, distances_ + query * k_, ids_ + query * k_);
    for (int64_t i = 0; i < rows; ++i) nearest.Offer(lists_.is_l2() ? found[i] : -found[i], ids[i]);
  }

  const FlatLists lists_;
  decltype(Kernels::squared_distances) const compare_;
  const float* const queries_;
  const int k_;
  float* const distances_;  // heaps of the k nearest, inner products with their sign turned
  int64_t* const ids_;
};

// Sorted by list, for all queries that have one.
std::vector<Probe> GroupedByList(int64_t n, int nprobe, const int64_t* assigned) {
  std::vector<Probe> probes;
  probes.reserve(n * nprobe);
  for (int64_t i = 0; i < n * nprobe; ++i) {
    if (assigned[i] >= 0) probes.push_back({assigned[i], i / nprobe});
  }
  std::sort(probes.begin(), probes.end(),
            [](const Probe& a, const Probe& b) { return a.list != b.list ? a.list < b.list : a.query < b.query; });
  return probes;
}

}  // namespace

void SearchFlatLists(const FlatLists& lists, const Kernels& kernels, int64_t n, const float* queries, int nprobe,
                     const int64_t* assigned, int k, float* distances, int64_t* ids) {
  const std::vector<Probe> probes = GroupedByList(n, nprobe, assigned);
  for (int64_t i = 0; i < n; ++i) NearestHeap(k, distances + i * k, ids + i * k).Clear();
  Search search(lists, kernels, queries, k, distances, ids);
  for (auto group = probes.begin(); group != probes.end();) {
    const auto end = std::find_if(group, probes.end(), [&](const Probe& probe) { return probe.list != group->list; });
    search.Scan(&*group, end - group);
    group = end;
  }
  for (int64_t i = 0; i < n; ++i) NearestHeap(k, distances + i * k, ids + i * k).Sort();
  if (!lists.is_l2()) std::transform(distances, distances + n * k, distances, std::negate<>());
}

}  // namespace kith::retrieval
