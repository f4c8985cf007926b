// Whether the inverted lists of an index that came from a file can be trusted.
#pragma once

namespace faiss {
struct IndexIVF;
}

namespace kith::retrieval {

// The lists, which are there, are in memory, hold codes of the size that `index` says, and each of its rows once; what
// decodes them fits. The quantiser that chooses the lists is not looked at. Throws WrongIndex (bad_index.h).
void CheckInvertedLists(const faiss::IndexIVF& index);

}  // namespace kith::retrieval
