// Searching a faiss index that other threads search too.
//
// In faiss 1.7.3 nprobe and k_factor are fields of the index, and FastScan and Refine take no parameters with a call.
// Nothing here writes to the index.
#pragma once

#include <cstdint>
#include <memory>

#include "server/retrieval/search.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

class Centroids;
class ListSketches;

// Answers as faiss does with these parameters set: for n queries of index.d values, n x k distances and ids.
// `queries` are in the index's own space (of norm 1 for cosine). `centroids`, if any, are those of the index's
// quantiser, see PackCentroids, and `sketches`, if any, those of its lists. Throws what faiss throws. Thread-safe
// beside other searches.
void SearchShared(const faiss::Index& index, const Centroids* centroids, const ListSketches* sketches, int64_t n,
                  const float* queries, const SearchParams& params, float* distances, int64_t* ids);

// The centroids of an index, which has to stay, that SearchShared can use them for: lists over a flat quantiser, but
// for FastScan, which takes no lists from outside. Otherwise null.
std::unique_ptr<const Centroids> PackCentroids(const faiss::Index& index);

}  // namespace kith::retrieval
