// How much memory an index takes.
#pragma once

#include <cstdint>

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Bytes of codes, ids, centroids and links; an estimate that leaves out what does not grow with the rows.
int64_t IndexBytes(const faiss::Index& index);

}  // namespace kith::retrieval
