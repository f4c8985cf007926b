// What a search asks for and what it gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace kith::retrieval {

// What a caller may ask for; unset: the experiment's own.
struct SearchOptions {
  int k = 8;
  std::optional<int> nprobe;
  std::optional<float> k_factor;
};

// The same with nothing left open. Two searches with equal parameters on one index may share a batch.
struct SearchParams {
  int k = 8;
  int nprobe = 0;      // 0: an index without lists
  float k_factor = 0;  // 0: an index that does not re-rank

  friend bool operator==(const SearchParams& a, const SearchParams& b) {
    return a.k == b.k && a.nprobe == b.nprobe && a.k_factor == b.k_factor;
  }
};

// rows x k, row-major, nearest first. Where there is no neighbour the id is -1 and the distance the worst float of
// the metric (the largest for L2, the lowest for inner products), as in faiss.
struct Neighbors {
  int k = 0;
  std::vector<int64_t> ids;
  std::vector<float> distances;

  Neighbors() = default;
  Neighbors(int64_t rows, int k) : k(k), ids(static_cast<size_t>(rows) * k), distances(ids.size()) {}
  int64_t rows() const { return k == 0 ? 0 : static_cast<int64_t>(ids.size()) / k; }
};

// The same, owned by somebody else; or some rows of it.
struct NeighborsView {
  int k;
  int64_t rows;
  const int64_t* ids;
  const float* distances;

  NeighborsView(int k, int64_t rows, const int64_t* ids, const float* distances)
      : k(k), rows(rows), ids(ids), distances(distances) {}
  NeighborsView(const Neighbors& all)  // NOLINT(google-explicit-constructor): a view of all rows
      : NeighborsView(all.k, all.rows(), all.ids.data(), all.distances.data()) {}

  size_t size() const { return static_cast<size_t>(rows) * k; }
  NeighborsView Slice(int64_t first, int64_t count) const { return {k, count, ids + first * k, distances + first * k}; }
};

}  // namespace kith::retrieval
