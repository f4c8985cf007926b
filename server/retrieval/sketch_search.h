// Searching inverted lists by their sketches.
#pragma once

#include <cstdint>

#include "server/retrieval/list_sketches.h"

namespace kith::retrieval {

// As SearchFlatLists of sketches.lists() (list_search.h), and to the bit with its results.
void SearchSketchedLists(const ListSketches& sketches, int64_t n, const float* queries, int nprobe,
                         const int64_t* assigned, int k, float* distances, int64_t* ids);

}  // namespace kith::retrieval
