// The vectors of a faiss index, rebuilt from its codes.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// n rows of index.d values with these ids.
using RowVisitor = absl::FunctionRef<void(int64_t n, const int64_t* ids, const float* rows)>;

// Gives every row once, some at a time, in no particular order: as they were added where the index keeps them (Flat,
// RFlat), else as near as its codes are. `index` has passed CheckIndex. Throws what faiss throws.
//
// faiss's own reconstruct_n needs a direct map, and on an IDMap throws inside an OpenMP region, which ends the process.
void VisitRows(const faiss::Index& index, RowVisitor visit);

}  // namespace kith::retrieval
