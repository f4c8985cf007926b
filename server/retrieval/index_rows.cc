#include "server/retrieval/index_rows.h"

#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsAtOnce = 256;

void VisitLists(const faiss::IndexIVF& index, RowVisitor visit) {
  std::vector<float> rows(kRowsAtOnce * index.d);
  for (size_t list = 0; list < index.nlist; ++list) {
    const int64_t* ids = index.invlists->get_ids(list);
    const auto size = static_cast<int64_t>(index.invlists->list_size(list));
    for (int64_t first = 0; first < size; first += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, size - first);
      for (int64_t i = 0; i < count; ++i) {
        index.reconstruct_from_offset(static_cast<int64_t>(list), first + i, rows.data() + i * index.d);
      }
      visit(count, ids + first, rows.data());
    }
  }
}

void VisitInOrder(const faiss::Index& index, RowVisitor visit) {
  std::vector<float> rows(kRowsAtOnce * index.d);
  std::vector<int64_t> ids(kRowsAtOnce);
  for (int64_t first = 0; first < index.ntotal; first += kRowsAtOnce) {
    const int64_t count = std::min(kRowsAtOnce, index.ntotal - first);
    for (int64_t i = 0; i < count; ++i) index.reconstruct(first + i, rows.data() + i * index.d);
    std::iota(ids.begin(), ids.end(), first);
    visit(count, ids.data(), rows.data());
  }
}

}  // namespace

void VisitRows(const faiss::Index& index, RowVisitor visit) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    VisitRows(*refined->refine_index, visit);
  } else if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    std::vector<float> rows(kRowsAtOnce * index.d);
    VisitRows(*transformed->index, [&](int64_t n, const int64_t* ids, const float* inner) {
      transformed->reverse_chain(n, inner, rows.data());
      visit(n, ids, rows.data());
    });
  } else if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
    VisitLists(*lists, visit);
  } else {
    VisitInOrder(index, visit);
  }
}

}  // namespace kith::retrieval
