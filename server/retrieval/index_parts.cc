#include "server/retrieval/index_parts.h"

#include <faiss/IndexIVF.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>

namespace kith::retrieval {

const faiss::IndexIVF* FindLists(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) return FindLists(*refined->base_index);
  if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    return FindLists(*transformed->index);
  }
  return dynamic_cast<const faiss::IndexIVF*>(&index);
}

}  // namespace kith::retrieval
