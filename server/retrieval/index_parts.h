// What lies inside a faiss index.
#pragma once

#include <typeinfo>

namespace faiss {
struct Index;
struct IndexIVF;
}  // namespace faiss

namespace kith::retrieval {

// The inverted lists inside `index`, or null.
const faiss::IndexIVF* FindLists(const faiss::Index& index);

// `index` as this very type, not one derived from it; otherwise null. `Index` is faiss::Index.
template <typename Type, typename Index>
const Type* Exactly(const Index& index) {
  return typeid(index) == typeid(Type) ? static_cast<const Type*>(&index) : nullptr;
}

}  // namespace kith::retrieval
