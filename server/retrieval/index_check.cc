#include "server/retrieval/index_check.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/VectorTransform.h>

#include <limits>

#include "server/retrieval/bad_index.h"
#include "server/retrieval/code_check.h"
#include "server/retrieval/graph_check.h"
#include "server/retrieval/index_parts.h"
#include "server/retrieval/list_check.h"

namespace kith::retrieval {
namespace {

constexpr int kMaxDimension = 65536;
constexpr int kMaxDepth = 6;  // of indexes inside indexes
constexpr int64_t kMaxRows = std::numeric_limits<int32_t>::max();

void CheckPart(const faiss::Index& index, int depth);

void CheckHeader(const faiss::Index& index) {
  Require(index.d >= 1 && index.d <= kMaxDimension, "its dimension is out of range");
  Require(index.ntotal >= 0 && index.ntotal <= kMaxRows, "its number of rows is out of range");
  if (index.metric_type != faiss::METRIC_L2 && index.metric_type != faiss::METRIC_INNER_PRODUCT) {
    throw WrongIndex("the index has a metric that is not supported; L2 and inner product are");
  }
  Require(index.is_trained, "it is not trained");
}

void CheckSameShape(const faiss::Index& outer, const faiss::Index* inner, int dimension) {
  Require(inner != nullptr, "a part of it is missing");
  Require(inner->d == dimension, "the dimensions of its parts do not fit");
  Require(inner->ntotal == outer.ntotal, "its parts have different numbers of rows");
  Require(inner->metric_type == outer.metric_type, "its parts have different metrics");
}

// Searches take their k_factor from the outermost part.
void CheckRefined(const faiss::IndexRefine& index, int depth) {
  if (depth > 0) {
    throw WrongIndex(
        "an index whose re-ranking (RFlat) stands inside of a transform or of another re-ranking is not supported; "
        "make it anew with the re-ranking outermost, as index_factory does");
  }
  CheckSameShape(index, index.base_index, index.d);
  CheckSameShape(index, index.refine_index, index.d);
  if (dynamic_cast<const faiss::IndexFlat*>(index.refine_index) == nullptr) Unsupported();
  CheckPart(*index.refine_index, depth + 1);
  CheckPart(*index.base_index, depth + 1);
}

void CheckTransform(const faiss::VectorTransform& transform) {
  if (const auto* normalize = dynamic_cast<const faiss::NormalizationTransform*>(&transform)) {
    Require(normalize->d_out == normalize->d_in && normalize->norm == 2, "its normalisation is none");
    return;
  }
  const auto* linear = dynamic_cast<const faiss::LinearTransform*>(&transform);
  if (linear == nullptr) Unsupported();
  const auto values = static_cast<size_t>(linear->d_in) * static_cast<size_t>(linear->d_out);
  Require(linear->A.size() == values, "the matrix of a transform does not fit");
  Require(!linear->have_bias || linear->b.size() == static_cast<size_t>(linear->d_out),
          "the bias of a transform does not fit");
  RequireFinite(linear->A, "a transform has values that are not finite");
  RequireFinite(linear->b, "a transform has values that are not finite");
  if (!linear->is_orthonormal) {
    throw WrongIndex("a transform of the index cannot be undone, so that its vectors cannot be rebuilt");
  }
}

void CheckTransformed(const faiss::IndexPreTransform& index, int depth) {
  if (index.chain.empty()) {  // faiss's reverse_chain would leave the rebuilt vectors unwritten
    throw WrongIndex(
        "an index with an empty chain of transforms is not supported; write the index inside of it instead "
        "(faiss.downcast_index(index.index))");
  }
  int dimension = index.d;
  for (const faiss::VectorTransform* transform : index.chain) {
    Require(transform->d_in == dimension && transform->d_out >= 1 && transform->d_out <= kMaxDimension,
            "the dimensions of its transforms do not fit");
    Require(transform->is_trained, "a transform of it is not trained");
    CheckTransform(*transform);
    dimension = transform->d_out;
  }
  CheckSameShape(index, index.index, dimension);
  CheckPart(*index.index, depth + 1);
}

// What chooses the lists.
void CheckCoarse(const faiss::Index& quantizer, int depth) {
  if (const auto* multi = Exactly<faiss::MultiIndexQuantizer>(quantizer)) {
    CheckHeader(*multi);
    CheckQuantizer(multi->pq, multi->d);
    Require(multi->pq.M == 2 && multi->pq.nbits <= 8 && multi->ntotal == int64_t{1} << (2 * multi->pq.nbits),
            "the sizes of its quantiser do not fit");
  } else if (dynamic_cast<const faiss::IndexFlat*>(&quantizer) != nullptr ||
             dynamic_cast<const faiss::IndexHNSW*>(&quantizer) != nullptr) {
    CheckPart(quantizer, depth + 1);
  } else {
    Unsupported();
  }
}

void CheckLists(const faiss::IndexIVF& index, int depth) {
  Require(index.nlist >= 1 && index.nlist <= static_cast<size_t>(kMaxRows), "its number of lists is out of range");
  const faiss::Index* quantizer = index.quantizer;
  Require(quantizer != nullptr && index.invlists != nullptr, "a part of it is missing");
  Require(quantizer->d == index.d && quantizer->ntotal == static_cast<int64_t>(index.nlist),
          "its quantiser has too few or too many centroids");
  CheckCoarse(*quantizer, depth);
  CheckInvertedLists(index);
}

void CheckLinked(const faiss::IndexHNSW& index, int depth) {
  if (Exactly<faiss::IndexHNSWFlat>(index) == nullptr && Exactly<faiss::IndexHNSWSQ>(index) == nullptr &&
      Exactly<faiss::IndexHNSWPQ>(index) == nullptr) {
    Unsupported();
  }
  CheckSameShape(index, index.storage, index.d);
  if (dynamic_cast<const faiss::IndexFlatCodes*>(index.storage) == nullptr) Unsupported();
  CheckPart(*index.storage, depth + 1);
  CheckGraph(index.hnsw, static_cast<size_t>(index.ntotal));
}

void CheckPart(const faiss::Index& index, int depth) {
  if (depth > kMaxDepth) Unsupported();
  CheckHeader(index);
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    CheckRefined(*refined, depth);
  } else if (const auto* transformed = Exactly<faiss::IndexPreTransform>(index)) {
    CheckTransformed(*transformed, depth);
  } else if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
    CheckLists(*lists, depth);
  } else if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&index)) {
    CheckLinked(*graph, depth);
  } else {
    CheckCodes(index);
  }
}

}  // namespace

absl::Status CheckIndex(const faiss::Index& index) {
  return Checked([&] { CheckPart(index, 0); });
}

}  // namespace kith::retrieval
