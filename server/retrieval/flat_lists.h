// The inverted lists of an IVF,Flat index: whole vectors, which can be read where they lie.
#pragma once

#include <cstdint>
#include <optional>

namespace faiss {
struct ArrayInvertedLists;
struct Index;
}  // namespace faiss

namespace kith::retrieval {

// A view of an index that has to stay. As thread-safe as reading the index is.
class FlatLists {
 public:
  // Nothing where `index` is not IVF,Flat, or its lists do not lie in memory as faiss makes them.
  static std::optional<FlatLists> Of(const faiss::Index& index);

  int64_t size() const;  // nlist
  int dimension() const { return dimension_; }
  bool is_l2() const { return is_l2_; }

  int64_t rows(int64_t list) const;
  const int64_t* ids(int64_t list) const;
  const float* vectors(int64_t list) const;  // [rows(list), dimension]

 private:
  FlatLists(const faiss::ArrayInvertedLists* lists, int dimension, bool is_l2)
      : lists_(lists), dimension_(dimension), is_l2_(is_l2) {}

  const faiss::ArrayInvertedLists* lists_;
  int dimension_;
  bool is_l2_;
};

}  // namespace kith::retrieval
