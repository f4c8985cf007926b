#include "server/retrieval/code_check.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexLSH.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexScalarQuantizer.h>

#include "server/retrieval/bad_index.h"
#include "server/retrieval/index_parts.h"

namespace kith::retrieval {
namespace {

constexpr size_t kFastScanBlock = 32;

void CheckCodeSize(const faiss::IndexFlatCodes& index, size_t code_size) {
  Require(index.code_size == code_size, "its code size does not fit");
  Require(index.codes.size() == static_cast<size_t>(index.ntotal) * code_size, "it has too few or too many codes");
}

void CheckFlat(const faiss::IndexFlat& index) {
  CheckCodeSize(index, sizeof(float) * index.d);
  RequireFinite(index.get_xb(), static_cast<size_t>(index.ntotal) * index.d, "it has vectors that are not finite");
}

void CheckPackedCodes(const faiss::IndexPQFastScan& index) {
  CheckQuantizer(index.pq, index.d);
  CheckFastScan(index.bbs, index.M, index.M2, index.nbits);
  const auto blocks = (static_cast<size_t>(index.ntotal) + index.bbs - 1) / index.bbs;
  Require(index.ntotal2 == blocks * index.bbs && index.codes.size() == index.ntotal2 * index.M2 / 2,
          "it has too few or too many codes");
  Require(index.implem == 0 && index.qbs == 0 && index.skip == 0, kFastScanSettings);
}

}  // namespace

void CheckQuantizer(const faiss::ProductQuantizer& pq, int dimension) {
  Require(pq.d == static_cast<size_t>(dimension) && pq.M >= 1 && pq.M <= pq.d && pq.d % pq.M == 0,
          "the parts of its product quantiser do not fit");
  // faiss makes a table of M x 2^nbits distances for each query: 1 MiB of them here.
  constexpr size_t kMostTableValues = 1 << 18;
  Require(pq.nbits >= 1 && pq.nbits <= 16 && pq.M << pq.nbits <= kMostTableValues,
          "the bits of its product quantiser are out of range");
  Require(pq.dsub == pq.d / pq.M && pq.ksub == size_t{1} << pq.nbits && pq.code_size == (pq.M * pq.nbits + 7) / 8,
          "the sizes of its product quantiser do not fit");
  Require(pq.centroids.size() == pq.d * pq.ksub, "the table of its product quantiser is too short or too long");
  RequireFinite(pq.centroids, "its product quantiser has values that are not finite");
}

void CheckQuantizer(const faiss::ScalarQuantizer& sq, int dimension) {
  using SQ = faiss::ScalarQuantizer;
  size_t trained = 0;
  size_t code_size = 0;
  const auto d = static_cast<size_t>(dimension);
  switch (sq.qtype) {
    case SQ::QT_8bit:
      trained = 2 * d;
      code_size = d;
      break;
    case SQ::QT_6bit:
      trained = 2 * d;
      code_size = (d * 6 + 7) / 8;
      break;
    case SQ::QT_4bit:
      trained = 2 * d;
      code_size = (d + 1) / 2;
      break;
    case SQ::QT_fp16:
      code_size = 2 * d;
      break;
    default:
      Unsupported();
  }
  Require(sq.d == d && sq.code_size == code_size && sq.trained.size() == trained,
          "the sizes of its scalar quantiser do not fit");
  RequireFinite(sq.trained, "its scalar quantiser has values that are not finite");
}

void CheckFastScan(size_t bbs, size_t M, size_t M2, size_t nbits) {
  Require(nbits == 4, "its FastScan codes are not of 4 bits");
  Require(bbs >= kFastScanBlock && bbs <= 1024 && bbs % kFastScanBlock == 0,
          "its FastScan blocks are of no valid size");
  Require(M2 == (M + 1) / 2 * 2, "its FastScan codes do not fit");
}

void CheckCodes(const faiss::Index& index) {
  if (const auto* flat = dynamic_cast<const faiss::IndexFlat*>(&index)) {
    CheckFlat(*flat);
  } else if (const auto* scalar = Exactly<faiss::IndexScalarQuantizer>(index)) {
    CheckQuantizer(scalar->sq, index.d);
    CheckCodeSize(*scalar, scalar->sq.code_size);
  } else if (const auto* product = Exactly<faiss::IndexPQ>(index)) {
    CheckQuantizer(product->pq, index.d);
    CheckCodeSize(*product, product->pq.code_size);
    if (product->search_type != faiss::IndexPQ::ST_PQ) Unsupported();
  } else if (const auto* fast_scan = Exactly<faiss::IndexPQFastScan>(index)) {
    CheckPackedCodes(*fast_scan);
  } else if (dynamic_cast<const faiss::IndexLSH*>(&index) != nullptr) {
    throw WrongIndex(
        "an LSH index keeps some bits of each vector, and the vectors cannot be rebuilt from them; train on the frames "
        "instead (kith train NAME FRAMES.npy --factory LSH)");
  } else {
    Unsupported();
  }
}

}  // namespace kith::retrieval
