#include "server/retrieval/index_text.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/VectorTransform.h>

#include "absl/strings/str_cat.h"

namespace kith::retrieval {
namespace {

std::string CodeText(const faiss::ScalarQuantizer& sq) {
  switch (sq.qtype) {
    case faiss::ScalarQuantizer::QT_4bit:
      return "SQ4";
    case faiss::ScalarQuantizer::QT_6bit:
      return "SQ6";
    case faiss::ScalarQuantizer::QT_fp16:
      return "SQfp16";
    default:
      return "SQ8";
  }
}

std::string CodeText(const faiss::ProductQuantizer& pq) {
  return pq.nbits == 8 ? absl::StrCat("PQ", pq.M) : absl::StrCat("PQ", pq.M, "x", pq.nbits);
}

int LinksOf(const faiss::IndexHNSW& index) { return index.hnsw.cum_nneighbor_per_level[1] / 2; }

std::string ListsText(const faiss::IndexIVF& index) {
  std::string text = absl::StrCat("IVF", index.nlist);
  if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(index.quantizer)) {
    absl::StrAppend(&text, "_HNSW", LinksOf(*graph));
  } else if (const auto* multi = dynamic_cast<const faiss::MultiIndexQuantizer*>(index.quantizer)) {
    text = absl::StrCat("IMI2x", multi->pq.nbits);
  }
  if (const auto* scalar = dynamic_cast<const faiss::IndexIVFScalarQuantizer*>(&index)) {
    return absl::StrCat(text, ",", CodeText(scalar->sq));
  }
  if (const auto* product = dynamic_cast<const faiss::IndexIVFPQ*>(&index)) {
    return absl::StrCat(text, ",", CodeText(product->pq));
  }
  if (const auto* fast_scan = dynamic_cast<const faiss::IndexIVFPQFastScan*>(&index)) {
    return absl::StrCat(text, ",PQ", fast_scan->pq.M, "x4fs", fast_scan->by_residual ? "r" : "");
  }
  return absl::StrCat(text, ",Flat");
}

// The parts of the product quantiser that `index` stores its vectors by; 0: it has none.
size_t PartsOf(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) return PartsOf(*refined->base_index);
  if (const auto* lists = dynamic_cast<const faiss::IndexIVFPQ*>(&index)) return lists->pq.M;
  if (const auto* lists = dynamic_cast<const faiss::IndexIVFPQFastScan*>(&index)) return lists->pq.M;
  if (const auto* codes = dynamic_cast<const faiss::IndexPQ*>(&index)) return codes->pq.M;
  if (const auto* codes = dynamic_cast<const faiss::IndexPQFastScan*>(&index)) return codes->pq.M;
  return 0;
}

std::string TransformText(const faiss::VectorTransform& transform, const faiss::Index& behind) {
  if (dynamic_cast<const faiss::NormalizationTransform*>(&transform) != nullptr) return "L2norm";
  if (const auto* pca = dynamic_cast<const faiss::PCAMatrix*>(&transform)) {
    return absl::StrCat(pca->random_rotation ? "PCAR" : "PCA", pca->d_out);
  }
  const size_t parts = PartsOf(behind);
  if (dynamic_cast<const faiss::RandomRotationMatrix*>(&transform) != nullptr || parts == 0) {
    return absl::StrCat("RR", transform.d_out);
  }
  return absl::StrCat("OPQ", parts, "_", transform.d_out);
}

std::string StorageText(const faiss::Index& index) {
  if (const auto* scalar = dynamic_cast<const faiss::IndexScalarQuantizer*>(&index)) return CodeText(scalar->sq);
  if (const auto* product = dynamic_cast<const faiss::IndexPQ*>(&index)) return CodeText(product->pq);
  if (const auto* fast_scan = dynamic_cast<const faiss::IndexPQFastScan*>(&index)) {
    return absl::StrCat("PQ", fast_scan->pq.M, "x4fs");
  }
  return "Flat";
}

}  // namespace

std::string FactoryOf(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    return absl::StrCat(FactoryOf(*refined->base_index), ",RFlat");
  }
  if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    std::string text;
    for (const faiss::VectorTransform* transform : transformed->chain) {
      absl::StrAppend(&text, TransformText(*transform, *transformed->index), ",");
    }
    return text + FactoryOf(*transformed->index);
  }
  if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) return ListsText(*lists);
  if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&index)) {
    const std::string storage = StorageText(*graph->storage);
    return absl::StrCat("HNSW", LinksOf(*graph), storage == "Flat" ? "," : "_", storage);
  }
  return StorageText(index);
}

}  // namespace kith::retrieval
