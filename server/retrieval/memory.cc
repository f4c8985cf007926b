#include "server/retrieval/memory.h"

#include <faiss/IndexFastScan.h>
#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/VectorTransform.h>
#include <faiss/invlists/BlockInvertedLists.h>
#include <faiss/invlists/InvertedLists.h>

#include <algorithm>
#include <vector>

namespace kith::retrieval {
namespace {

// What a vector takes, which after additions is more than it holds. The end of a large one, though, was never touched,
// and takes nothing (ConfigureAllocator in server/base/memory.h).
template <typename T>
int64_t Allocated(const std::vector<T>& values) {
  constexpr size_t kLarge = size_t{256} << 10;
  const size_t bytes = values.capacity() * sizeof(T);
  return static_cast<int64_t>(bytes < kLarge ? bytes : std::max(kLarge, values.size() * sizeof(T)));
}
template <typename T>
int64_t Allocated(const faiss::AlignedTable<T>& table) {
  return static_cast<int64_t>(table.tab.nbytes());
}

template <typename Lists>
int64_t ListBytes(const Lists& lists) {
  int64_t bytes = Allocated(lists.codes) + Allocated(lists.ids);
  for (const auto& codes : lists.codes) bytes += Allocated(codes);
  for (const auto& ids : lists.ids) bytes += Allocated(ids);
  return bytes;
}

int64_t ListsOf(const faiss::IndexIVF& index) {
  if (const auto* lists = dynamic_cast<const faiss::ArrayInvertedLists*>(index.invlists)) return ListBytes(*lists);
  if (const auto* lists = dynamic_cast<const faiss::BlockInvertedLists*>(index.invlists)) return ListBytes(*lists);
  return index.ntotal * static_cast<int64_t>(index.code_size + sizeof(faiss::Index::idx_t));
}

// What faiss computes from centroids and codebooks as soon as it has them.
int64_t TablesOf(const faiss::IndexIVF& index) {
  if (const auto* pq = dynamic_cast<const faiss::IndexIVFPQ*>(&index)) return Allocated(pq->precomputed_table);
  if (const auto* pq = dynamic_cast<const faiss::IndexIVFPQFastScan*>(&index)) return Allocated(pq->precomputed_table);
  return 0;
}

int64_t TransformBytes(const faiss::IndexPreTransform& index) {
  int64_t bytes = 0;
  for (const faiss::VectorTransform* transform : index.chain) {
    const auto* linear = dynamic_cast<const faiss::LinearTransform*>(transform);
    if (linear != nullptr) bytes += Allocated(linear->A) + Allocated(linear->b);
  }
  return bytes;
}

}  // namespace

int64_t IndexBytes(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    return IndexBytes(*refined->base_index) + IndexBytes(*refined->refine_index);
  }
  if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    return TransformBytes(*transformed) + IndexBytes(*transformed->index);
  }
  if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
    return ListsOf(*lists) + TablesOf(*lists) + IndexBytes(*lists->quantizer);
  }
  if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&index)) {
    const faiss::HNSW& links = graph->hnsw;
    return Allocated(links.neighbors) + Allocated(links.offsets) + Allocated(links.levels) +
           IndexBytes(*graph->storage);
  }
  if (const auto* codes = dynamic_cast<const faiss::IndexFlatCodes*>(&index)) return Allocated(codes->codes);
  if (const auto* fast_scan = dynamic_cast<const faiss::IndexFastScan*>(&index)) return Allocated(fast_scan->codes);
  return 0;
}

}  // namespace kith::retrieval
