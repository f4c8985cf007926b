#include "server/retrieval/memory.h"

#include <faiss/IndexFastScan.h>
#include <faiss/IndexFlatCodes.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>

namespace kith::retrieval {

int64_t IndexBytes(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    return IndexBytes(*refined->base_index) + IndexBytes(*refined->refine_index);
  }
  if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    return IndexBytes(*transformed->index);
  }
  if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
    const auto a_vector = static_cast<int64_t>(lists->code_size + sizeof(faiss::Index::idx_t));
    return lists->ntotal * a_vector + IndexBytes(*lists->quantizer);
  }
  if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&index)) {
    return static_cast<int64_t>(graph->hnsw.neighbors.size() * sizeof(graph->hnsw.neighbors[0])) +
           IndexBytes(*graph->storage);
  }
  if (const auto* codes = dynamic_cast<const faiss::IndexFlatCodes*>(&index)) {
    return static_cast<int64_t>(codes->codes.size());
  }
  if (const auto* fast_scan = dynamic_cast<const faiss::IndexFastScan*>(&index)) {
    return fast_scan->ntotal * static_cast<int64_t>(fast_scan->code_size);
  }
  return 0;
}

}  // namespace kith::retrieval
