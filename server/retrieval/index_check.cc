#include "server/retrieval/index_check.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/VectorTransform.h>
#include <faiss/invlists/BlockInvertedLists.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <typeinfo>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/normalize.h"

namespace kith::retrieval {
namespace {

constexpr int kMaxDimension = 65536;
constexpr int kMaxDepth = 6;  // of indexes inside indexes
constexpr int64_t kMaxRows = std::numeric_limits<int32_t>::max();
constexpr size_t kFastScanBlock = 32;

// Ends a check; CheckIndex turns it into a status.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void Require(bool holds, const char* what) {
  if (!holds) throw Wrong(absl::StrCat("the index is damaged: ", what));
}

[[noreturn]] void Unsupported() {
  throw Wrong(
      "an index of this type is not supported; Flat, SQ, PQ, FastScan, HNSW and IVF of these, behind OPQ or PCA and "
      "with RFlat, can be imported");
}

template <typename Type>
const Type* As(const faiss::Index& index) {
  return typeid(index) == typeid(Type) ? static_cast<const Type*>(&index) : nullptr;  // no class derived from it
}

void RequireFinite(const std::vector<float>& values, const char* what) {
  Require(std::all_of(values.begin(), values.end(), [](float value) { return std::abs(value) <= kMaxNorm; }), what);
}

void CheckHeader(const faiss::Index& index) {
  Require(index.d >= 1 && index.d <= kMaxDimension, "its dimension is out of range");
  Require(index.ntotal >= 0 && index.ntotal <= kMaxRows, "its number of rows is out of range");
  if (index.metric_type != faiss::METRIC_L2 && index.metric_type != faiss::METRIC_INNER_PRODUCT) {
    throw Wrong("the index has a metric that is not supported; L2 and inner product are");
  }
  Require(index.is_trained, "it is not trained");
}

void CheckSameShape(const faiss::Index& outer, const faiss::Index* inner, int dimension) {
  Require(inner != nullptr, "a part of it is missing");
  Require(inner->d == dimension, "the dimensions of its parts do not fit");
  Require(inner->ntotal == outer.ntotal, "its parts have different numbers of rows");
  Require(inner->metric_type == outer.metric_type, "its parts have different metrics");
}

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

void CheckCodes(const faiss::IndexFlatCodes& index, size_t code_size) {
  Require(index.code_size == code_size, "its code size does not fit");
  Require(index.codes.size() == static_cast<size_t>(index.ntotal) * code_size, "it has too few or too many codes");
}

void CheckFlat(const faiss::IndexFlat& index) {
  CheckCodes(index, sizeof(float) * index.d);
  const float* values = index.get_xb();
  const size_t count = static_cast<size_t>(index.ntotal) * index.d;
  Require(std::all_of(values, values + count, [](float value) { return std::abs(value) <= kMaxNorm; }),
          "it has vectors that are not finite");
}

void CheckFastScan(size_t bbs, size_t M, size_t M2, size_t nbits) {
  Require(nbits == 4, "its FastScan codes are not of 4 bits");
  Require(bbs >= kFastScanBlock && bbs <= 1024 && bbs % kFastScanBlock == 0,
          "its FastScan blocks are of no valid size");
  Require(M2 == (M + 1) / 2 * 2, "its FastScan codes do not fit");
}

// With other settings faiss may throw inside an OpenMP region, which ends the process, and only for many queries at
// once.
constexpr char kFastScanSettings[] = "its FastScan settings are not the default ones";

void CheckPackedCodes(const faiss::IndexPQFastScan& index) {
  CheckQuantizer(index.pq, index.d);
  CheckFastScan(index.bbs, index.M, index.M2, index.nbits);
  const auto blocks = (static_cast<size_t>(index.ntotal) + index.bbs - 1) / index.bbs;
  Require(index.ntotal2 == blocks * index.bbs && index.codes.size() == index.ntotal2 * index.M2 / 2,
          "it has too few or too many codes");
  Require(index.implem == 0 && index.qbs == 0 && index.skip == 0, kFastScanSettings);
}

class Checker {
 public:
  void Check(const faiss::Index& index, int depth) {
    if (depth > kMaxDepth) Unsupported();
    CheckHeader(index);
    if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
      CheckRefined(*refined, depth);
    } else if (const auto* transformed = As<faiss::IndexPreTransform>(index)) {
      CheckTransformed(*transformed, depth);
    } else if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
      CheckLists(*lists, depth);
    } else if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&index)) {
      CheckGraph(*graph, depth);
    } else {
      CheckStorage(index);
    }
  }

 private:
  void CheckRefined(const faiss::IndexRefine& index, int depth) {
    CheckSameShape(index, index.base_index, index.d);
    CheckSameShape(index, index.refine_index, index.d);
    if (dynamic_cast<const faiss::IndexFlat*>(index.refine_index) == nullptr) Unsupported();
    Check(*index.refine_index, depth + 1);
    Check(*index.base_index, depth + 1);
  }

  void CheckTransformed(const faiss::IndexPreTransform& index, int depth) {
    int dimension = index.d;
    for (const faiss::VectorTransform* transform : index.chain) {
      Require(transform->d_in == dimension && transform->d_out >= 1 && transform->d_out <= kMaxDimension,
              "the dimensions of its transforms do not fit");
      Require(transform->is_trained, "a transform of it is not trained");
      CheckTransform(*transform);
      dimension = transform->d_out;
    }
    CheckSameShape(index, index.index, dimension);
    Check(*index.index, depth + 1);
  }

  static void CheckTransform(const faiss::VectorTransform& transform) {
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
      throw Wrong("a transform of the index cannot be undone, so that its vectors cannot be rebuilt");
    }
  }

  void CheckLists(const faiss::IndexIVF& index, int depth) {
    Require(index.nlist >= 1 && index.nlist <= static_cast<size_t>(kMaxRows), "its number of lists is out of range");
    const faiss::Index* quantizer = index.quantizer;
    Require(quantizer != nullptr && index.invlists != nullptr, "a part of it is missing");
    Require(quantizer->d == index.d && quantizer->ntotal == static_cast<int64_t>(index.nlist),
            "its quantiser has too few or too many centroids");
    CheckCoarse(*quantizer, depth);
    Require(index.invlists->nlist == index.nlist, "it has too few or too many lists");
    Require(index.parallel_mode == 0 && index.max_codes == 0, "its search settings are out of range");
    CheckListCode(index);
    if (const auto* fast_scan = As<faiss::IndexIVFPQFastScan>(index)) {
      CheckBlocks(*fast_scan);
    } else {
      CheckArrays(index);
    }
  }

  void CheckCoarse(const faiss::Index& quantizer, int depth) {
    if (const auto* multi = As<faiss::MultiIndexQuantizer>(quantizer)) {
      CheckHeader(*multi);
      CheckQuantizer(multi->pq, multi->d);
      Require(multi->pq.M == 2 && multi->pq.nbits <= 8 && multi->ntotal == int64_t{1} << (2 * multi->pq.nbits),
              "the sizes of its quantiser do not fit");
    } else if (dynamic_cast<const faiss::IndexFlat*>(&quantizer) != nullptr ||
               dynamic_cast<const faiss::IndexHNSW*>(&quantizer) != nullptr) {
      Check(quantizer, depth + 1);
    } else {
      Unsupported();
    }
  }

  static void CheckListCode(const faiss::IndexIVF& index) {
    if (As<faiss::IndexIVFFlat>(index) != nullptr) {
      Require(index.code_size == sizeof(float) * index.d, "its code size does not fit");
    } else if (const auto* scalar = As<faiss::IndexIVFScalarQuantizer>(index)) {
      CheckQuantizer(scalar->sq, index.d);
      Require(index.code_size == scalar->sq.code_size, "its code size does not fit");
    } else if (const auto* product = As<faiss::IndexIVFPQ>(index)) {
      CheckQuantizer(product->pq, index.d);
      Require(index.code_size == product->pq.code_size, "its code size does not fit");
      Require(product->polysemous_ht == 0, "its search settings are out of range");
    } else if (const auto* fast_scan = As<faiss::IndexIVFPQFastScan>(index)) {
      CheckQuantizer(fast_scan->pq, index.d);
      Require(index.code_size == fast_scan->pq.code_size, "its code size does not fit");
      CheckFastScan(fast_scan->bbs, fast_scan->M, fast_scan->M2, fast_scan->nbits);
      Require(fast_scan->implem == 0 && fast_scan->qbs == 0 && fast_scan->qbs2 == 0 && fast_scan->skip == 0,
              kFastScanSettings);
    } else {
      Unsupported();
    }
  }

  static void CheckArrays(const faiss::IndexIVF& index) {
    const auto* lists = dynamic_cast<const faiss::ArrayInvertedLists*>(index.invlists);
    if (lists == nullptr) Unsupported();
    Require(
        lists->code_size == index.code_size && lists->ids.size() == index.nlist && lists->codes.size() == index.nlist,
        "its lists do not fit");
    for (size_t i = 0; i < index.nlist; ++i) {
      Require(lists->codes[i].size() == lists->ids[i].size() * lists->code_size, "a list is too short or too long");
    }
    CheckIds(lists->ids, index.ntotal);
  }

  static void CheckBlocks(const faiss::IndexIVFPQFastScan& index) {
    const auto* lists = dynamic_cast<const faiss::BlockInvertedLists*>(index.invlists);
    if (lists == nullptr) Unsupported();
    const auto bbs = static_cast<size_t>(index.bbs);
    Require(lists->n_per_block == bbs && lists->block_size == bbs * index.M2 / 2 && lists->ids.size() == index.nlist &&
                lists->codes.size() == index.nlist,
            "its lists do not fit");
    for (size_t i = 0; i < index.nlist; ++i) {
      const size_t blocks = (lists->ids[i].size() + bbs - 1) / bbs;
      Require(lists->codes[i].size() == blocks * lists->block_size, "a list is too short or too long");
    }
    CheckIds(lists->ids, index.ntotal);
  }

  static void CheckIds(const std::vector<std::vector<int64_t>>& lists, int64_t ntotal) {
    std::vector<bool> seen(static_cast<size_t>(ntotal));
    int64_t count = 0;
    for (const std::vector<int64_t>& ids : lists) {
      for (const int64_t id : ids) {
        if (id < 0 || id >= ntotal || seen[id]) {
          throw Wrong(absl::StrCat("the ids of the index are not 0 to ", ntotal - 1, ", each once (as after add): ", id,
                                   " is not, or comes twice"));
        }
        seen[id] = true;
        ++count;
      }
    }
    Require(count == ntotal, "its lists do not hold as many rows as it says");
  }

  void CheckGraph(const faiss::IndexHNSW& index, int depth) {
    if (As<faiss::IndexHNSWFlat>(index) == nullptr && As<faiss::IndexHNSWSQ>(index) == nullptr &&
        As<faiss::IndexHNSWPQ>(index) == nullptr) {
      Unsupported();
    }
    CheckSameShape(index, index.storage, index.d);
    if (dynamic_cast<const faiss::IndexFlatCodes*>(index.storage) == nullptr) Unsupported();
    Check(*index.storage, depth + 1);
    CheckLinks(index.hnsw, static_cast<size_t>(index.ntotal));
  }

  static void CheckLinks(const faiss::HNSW& graph, size_t rows) {
    const std::vector<int>& widths = graph.cum_nneighbor_per_level;
    Require(widths.size() >= 2 && widths.size() <= 64 && widths[0] == 0 && widths[1] >= 1 && widths.back() <= 1 << 20 &&
                std::adjacent_find(widths.begin(), widths.end(), std::greater_equal<>()) == widths.end(),
            "the levels of its graph do not fit");
    Require(graph.levels.size() == rows && graph.offsets.size() == rows + 1 && graph.offsets[0] == 0,
            "its graph has too few or too many nodes");
    Require(graph.efSearch >= 1 && graph.efSearch <= 4096 && graph.efConstruction >= 1 &&
                graph.efConstruction <= 4096 && graph.upper_beam == 1,
            "the settings of its graph are out of range");
    Require(graph.assign_probas.size() + 1 == widths.size(), "the levels of its graph do not fit");
    int top = 0;
    for (size_t i = 0; i < rows; ++i) {
      const int level = graph.levels[i];
      Require(level >= 1 && static_cast<size_t>(level) < widths.size(), "a node of its graph has no valid level");
      Require(graph.offsets[i + 1] >= graph.offsets[i] &&
                  graph.offsets[i + 1] - graph.offsets[i] == static_cast<size_t>(widths[level]),
              "a node of its graph has too few or too many links");
      top = std::max(top, level);
    }
    Require(graph.neighbors.size() == graph.offsets[rows], "its graph has too few or too many links");
    if (rows == 0) return;
    Require(graph.entry_point >= 0 && static_cast<size_t>(graph.entry_point) < rows && graph.max_level == top - 1 &&
                graph.levels[graph.entry_point] == top,
            "its graph has no valid entry");
    for (size_t i = 0; i < rows; ++i) CheckNode(graph, i, rows);
  }

  static void CheckNode(const faiss::HNSW& graph, size_t node, size_t rows) {
    for (int level = 0; level < graph.levels[node]; ++level) {
      size_t begin = 0;
      size_t end = 0;
      graph.neighbor_range(static_cast<int64_t>(node), level, &begin, &end);
      bool ended = false;  // a search stops at the first -1, an addition does not
      for (size_t i = begin; i < end; ++i) {
        const int link = graph.neighbors[i];
        ended = ended || link == -1;
        if (ended && link == -1) continue;
        Require(!ended && link >= 0 && static_cast<size_t>(link) < rows && graph.levels[link] > level,
                "a link of its graph leads nowhere");
      }
    }
  }

  static void CheckStorage(const faiss::Index& index) {
    if (const auto* flat = dynamic_cast<const faiss::IndexFlat*>(&index)) {
      CheckFlat(*flat);
    } else if (const auto* scalar = As<faiss::IndexScalarQuantizer>(index)) {
      CheckQuantizer(scalar->sq, index.d);
      CheckCodes(*scalar, scalar->sq.code_size);
    } else if (const auto* product = As<faiss::IndexPQ>(index)) {
      CheckQuantizer(product->pq, index.d);
      CheckCodes(*product, product->pq.code_size);
      if (product->search_type != faiss::IndexPQ::ST_PQ) Unsupported();
    } else if (const auto* fast_scan = As<faiss::IndexPQFastScan>(index)) {
      CheckPackedCodes(*fast_scan);
    } else {
      Unsupported();
    }
  }
};

}  // namespace

absl::Status BadIndex(const char* why) { return Error(Reason::kBadIndex, why); }

absl::Status CheckIndex(const faiss::Index& index) {
  try {
    Checker().Check(index, 0);
    return absl::OkStatus();
  } catch (const Wrong& wrong) {
    return BadIndex(wrong.what());
  }
}

const faiss::IndexIVF* FindLists(const faiss::Index& index) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) return FindLists(*refined->base_index);
  if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    return FindLists(*transformed->index);
  }
  return dynamic_cast<const faiss::IndexIVF*>(&index);
}

}  // namespace kith::retrieval
