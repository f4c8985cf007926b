// Whether a faiss index that came from a file can be trusted. faiss checks little of what it reads and nothing of what
// it searches: a neighbour's number out of range is an access out of bounds.
#pragma once

#include "absl/status/status.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// OK where `index` is of a type that Kith searches (Flat, SQ, PQ, FastScan, HNSW over these, IVF of these, behind
// transforms, with RFlat around all of it) and every size, id and link in it is in range, so that searching, rebuilding
// and writing it touches nothing outside of it; ids are 0 to ntotal - 1, each once; centroids and tables are finite.
// Takes an index without an id map (id_map.h). Otherwise BAD_INDEX that says what is wrong.
absl::Status CheckIndex(const faiss::Index& index);

}  // namespace kith::retrieval
