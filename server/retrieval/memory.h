// How much memory an index takes.
#pragma once

#include <cstdint>

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Bytes of memory taken for codes, ids, centroids, links and tables; leaves out codebooks and the like. Takes a look at
// each inverted list.
int64_t IndexBytes(const faiss::Index& index);

}  // namespace kith::retrieval
