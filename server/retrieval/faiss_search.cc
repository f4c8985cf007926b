#include "server/retrieval/faiss_search.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFFastScan.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/IndexRefine.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "server/retrieval/centroids.h"
#include "server/retrieval/flat_lists.h"
#include "server/retrieval/kernels/kernels.h"
#include "server/retrieval/list_search.h"
#include "server/retrieval/sketch_search.h"

namespace kith::retrieval {
namespace {

// Candidates for re-ranking held at once: 8,192 rows with k and k_factor at their limits would fill the memory.
constexpr int64_t kMaxCandidates = 1 << 20;

// What a search of a FastScan index reads, with an nprobe of its own. It shares lists, quantiser and table with the
// index and owns none of them. What is copied are the product quantiser's centroids, d * 16 floats, which takes about 1
// us; the table, of codes of residuals (x4fsr) with L2, is of nlist * d * 8 floats and would take longer than some
// searches.
class FastScanView : private faiss::IndexIVFPQFastScan {
 public:
  FastScanView(const faiss::IndexIVFPQFastScan& index, int nprobe_of_its_own) {
    static_cast<faiss::Index&>(*this) = index;
    quantizer = index.quantizer;
    own_fields = false;
    nlist = index.nlist;
    invlists = index.invlists;
    own_invlists = false;
    code_size = index.code_size;
    nprobe = nprobe_of_its_own;
    bbs = index.bbs;
    M = index.M;
    nbits = index.nbits;
    ksub = index.ksub;
    M2 = index.M2;
    by_residual = index.by_residual;
    pq = index.pq;
    use_precomputed_table = index.use_precomputed_table;
    precomputed_table.tab.ptr = index.precomputed_table.tab.ptr;
    precomputed_table.tab.numel = index.precomputed_table.tab.numel;
    precomputed_table.numel = index.precomputed_table.numel;
  }
  ~FastScanView() override { precomputed_table.tab.ptr = nullptr; }  // or it would be freed
  FastScanView(const FastScanView&) = delete;
  FastScanView& operator=(const FastScanView&) = delete;

  void Search(int64_t n, const float* queries, int k, float* distances, int64_t* ids) const {
    search(n, queries, k, distances, ids);
  }
};

// The k best of `candidates` ids by exact distance, as IndexRefineFlat ranks them.
void Rerank(const faiss::IndexFlat& vectors, const float* query, const int64_t* candidates, int candidate_count, int k,
            float* distances, int64_t* ids) {
  std::vector<float> exact(candidate_count);
  vectors.compute_distance_subset(1, query, candidate_count, exact.data(), candidates);
  std::vector<std::pair<float, int64_t>> ranked;
  ranked.reserve(candidate_count);
  const bool larger_is_nearer = vectors.metric_type == faiss::METRIC_INNER_PRODUCT;
  for (int i = 0; i < candidate_count; ++i) {
    if (candidates[i] >= 0) ranked.emplace_back(larger_is_nearer ? -exact[i] : exact[i], candidates[i]);
  }
  const auto found = std::min<size_t>(k, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + found, ranked.end());
  for (size_t i = 0; i < found; ++i) {
    distances[i] = larger_is_nearer ? -ranked[i].first : ranked[i].first;
    ids[i] = ranked[i].second;
  }
  std::fill(ids + found, ids + k, -1);
}

void SearchRefined(const faiss::IndexRefine& index, int64_t n, const float* queries, const SearchParams& params,
                   float* distances, int64_t* ids) {
  SearchParams base = params;
  base.k = static_cast<int>(
      std::min<int64_t>(static_cast<int64_t>(params.k * params.k_factor), std::max<int64_t>(index.ntotal, params.k)));
  const int64_t rows_at_once = std::clamp<int64_t>(kMaxCandidates / base.k, 1, std::max<int64_t>(n, 1));
  std::vector<float> base_distances(rows_at_once * base.k);
  std::vector<int64_t> candidates(rows_at_once * base.k);
  const auto& vectors = dynamic_cast<const faiss::IndexFlat&>(*index.refine_index);
  for (int64_t first = 0; first < n; first += rows_at_once) {
    const int64_t rows = std::min(rows_at_once, n - first);
    SearchShared(*index.base_index, nullptr, nullptr, rows, queries + first * index.d, base, base_distances.data(),
                 candidates.data());
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = first + i;
      Rerank(vectors, queries + row * index.d, candidates.data() + i * base.k, base.k, params.k,
             distances + row * params.k, ids + row * params.k);
    }
  }
}

void SearchLists(const faiss::IndexIVF& index, const Centroids* centroids, const ListSketches* sketches, int64_t n,
                 const float* queries, const SearchParams& params, float* distances, int64_t* ids) {
  faiss::IVFSearchParameters lists;
  lists.nprobe = params.nprobe;
  if (centroids == nullptr) return index.search(n, queries, params.k, distances, ids, &lists);
  std::vector<int64_t> assigned(n * params.nprobe);
  std::vector<float> coarse_distances(n * params.nprobe);
  centroids->Nearest(n, queries, params.nprobe, assigned.data(), coarse_distances.data());
  if (sketches != nullptr && params.nprobe > 1) {
    return SearchSketchedLists(*sketches, n, queries, params.nprobe, assigned.data(), coarse_distances.data(), params.k,
                               distances, ids);
  }
  if (const auto flat = FlatLists::Of(index)) {
    return SearchFlatLists(*flat, BestKernels(), n, queries, params.nprobe, assigned.data(), params.k, distances, ids);
  }
  faiss::IndexIVFStats stats;  // instead of faiss's global ones, which are not for several threads
  index.search_preassigned(n, queries, params.k, assigned.data(), coarse_distances.data(), distances, ids, false,
                           &lists, &stats);
}

}  // namespace

void SearchShared(const faiss::Index& index, const Centroids* centroids, const ListSketches* sketches, int64_t n,
                  const float* queries, const SearchParams& params, float* distances, int64_t* ids) {
  if (const auto* refined = dynamic_cast<const faiss::IndexRefine*>(&index)) {
    SearchRefined(*refined, n, queries, params, distances, ids);
  } else if (const auto* transformed = dynamic_cast<const faiss::IndexPreTransform*>(&index)) {
    const float* applied = transformed->apply_chain(n, queries);
    const std::unique_ptr<const float[]> owned(applied == queries ? nullptr : applied);
    SearchShared(*transformed->index, nullptr, nullptr, n, applied, params, distances, ids);
  } else if (const auto* fast_scan = dynamic_cast<const faiss::IndexIVFPQFastScan*>(&index)) {
    FastScanView(*fast_scan, params.nprobe).Search(n, queries, params.k, distances, ids);
  } else if (const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index)) {
    SearchLists(*lists, centroids, sketches, n, queries, params, distances, ids);
  } else {
    index.search(n, queries, params.k, distances, ids);
  }
}

std::unique_ptr<const Centroids> PackCentroids(const faiss::Index& index) {
  const auto* lists = dynamic_cast<const faiss::IndexIVF*>(&index);
  if (lists == nullptr || dynamic_cast<const faiss::IndexIVFFastScan*>(lists) != nullptr) return nullptr;
  const auto* quantizer = dynamic_cast<const faiss::IndexFlat*>(lists->quantizer);
  if (quantizer == nullptr || quantizer->ntotal != static_cast<int64_t>(lists->nlist)) return nullptr;
  return MakeCentroids(quantizer->get_xb(), quantizer->ntotal, quantizer->d,
                       quantizer->metric_type == faiss::METRIC_L2 ? Metric::kL2 : Metric::kInnerProduct, BestKernels());
}

}  // namespace kith::retrieval
