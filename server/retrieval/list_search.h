// Searching whole vectors in inverted lists, each list read once for all queries of a call.
//
// faiss scans a list anew for each query and compares with one vector after the other. Speakers stay on a sound for
// several frames, and a batch comes from several clients: their queries meet in the same lists, which come from memory
// once here.
#pragma once

#include <cstdint>

#include "server/retrieval/flat_lists.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

// The k nearest of each of `n` queries, of lists.dimension() finite values, among the vectors in those of its nprobe
// `assigned` lists (below 0: none): n x k squared L2 distances or inner products and ids, the nearest first, of those
// as near as each other the lower id; id -1 where there are fewer. What a query gets does not depend on the others.
// Thread-safe beside other searches; throws std::bad_alloc.
void SearchFlatLists(const FlatLists& lists, const Kernels& kernels, int64_t n, const float* queries, int nprobe,
                     const int64_t* assigned, int k, float* distances, int64_t* ids);

}  // namespace kith::retrieval
