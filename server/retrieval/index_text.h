// A faiss index as a factory string.
#pragma once

#include <string>

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// What would make such an index: "IVF185,Flat", "OPQ8_32,IVF64,PQ8", "IVF64,PQ8x4fs,RFlat". `index` has passed
// CheckIndex. An OPQ is known by being a rotation in front of a product quantiser: faiss keeps no more of it.
std::string FactoryOf(const faiss::Index& index);

}  // namespace kith::retrieval
