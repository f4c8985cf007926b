// Indexes that give their rows ids of their own.
#pragma once

#include <memory>

#include "absl/status/status.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Takes an IDMap off *index, if it has one. Its ids have to be 0 to n - 1 in some order; the index below then holds its
// rows under these ids and answers as before. BAD_INDEX for other ids, and for rows that cannot be put in order (a graph
// or packed codes under ids that are not in order).
absl::Status TakeOffIdMap(std::unique_ptr<faiss::Index>* index);

}  // namespace kith::retrieval
