// The k nearest of those that are offered, one after the other.
#pragma once

#include <faiss/utils/Heap.h>

#include <cstdint>

namespace kith::retrieval {

// In the caller's arrays of k distances, where smaller is nearer, and ids. Of those as near as each other the lower id
// is taken first.
class NearestHeap {
 public:
  NearestHeap(int k, float* distances, int64_t* ids) : k_(k), distances_(distances), ids_(ids) {}

  void Clear() { faiss::heap_heapify<Farthest>(k_, distances_, ids_); }

  void Offer(float distance, int64_t id) {
    if (!Farthest::cmp2(distances_[0], distance, ids_[0], id)) return;
    faiss::heap_replace_top<Farthest>(k_, distances_, ids_, distance, id);
  }

  // The k-th smallest distance so far; the largest float where there are fewer.
  float limit() const { return distances_[0]; }

  // The nearest first; id -1 where there are fewer than k. Nothing may be offered afterwards.
  void Sort() { faiss::heap_reorder<Farthest>(k_, distances_, ids_); }

 private:
  using Farthest = faiss::CMax<float, int64_t>;

  const int64_t k_;
  float* const distances_;
  int64_t* const ids_;
};

}  // namespace kith::retrieval
