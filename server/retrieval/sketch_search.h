// Searching inverted lists by their sketches.
#pragma once

#include <cstdint>

#include "server/retrieval/list_sketches.h"

namespace kith::retrieval {

// As SearchFlatLists of sketches.lists() (list_search.h), and to the bit with its results.
// `coarse[n * nprobe]`: the squared distances of the queries from the centroids of the lists, within
// sketches.rounding().
void SearchSketchedLists(const ListSketches& sketches, int64_t n, const float* queries, int nprobe,
                         const int64_t* assigned, const float* coarse, int k, float* distances, int64_t* ids);

}  // namespace kith::retrieval
