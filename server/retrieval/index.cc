#include "server/retrieval/index.h"

#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFFastScan.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/huge_pages.h"
#include "server/base/status.h"
#include "server/retrieval/centroids.h"
#include "server/retrieval/faiss_search.h"
#include "server/retrieval/flat_lists.h"
#include "server/retrieval/grown_lists.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/list_frames.h"
#include "server/retrieval/list_sketches.h"
#include "server/retrieval/memory.h"
#include "server/retrieval/normalize.h"

namespace kith::retrieval {
namespace {

// A copy of `vectors` in `scratch` (where they may lie already) with zeros in these rows.
const float* WithZeroRows(FrameView vectors, const std::vector<int64_t>& rows, std::vector<float>* scratch) {
  if (vectors.data != scratch->data()) scratch->assign(vectors.values().begin(), vectors.values().end());
  for (const int64_t row : rows) {
    std::fill_n(scratch->begin() + row * vectors.dimension, vectors.dimension, 0.0f);
  }
  return scratch->data();
}

// Of a voice of some size, the lists that a block of frames needs lie all over its memory, and not in a cache.
void PutListsOnHugePages(const faiss::Index& index) {
  const auto lists = FlatLists::Of(index);
  if (!lists) return;
  std::vector<absl::Span<const char>> pieces;
  for (int64_t list = 0; list < lists->size(); ++list) {
    pieces.emplace_back(reinterpret_cast<const char*>(lists->vectors(list)),
                        sizeof(float) * lists->dimension() * lists->rows(list));
  }
  PutOnHugePages(pieces);
}

}  // namespace

class Index::ReadLock {
 public:
  explicit ReadLock(const Index& index) {
    { const std::lock_guard<std::mutex> pass(index.gate_); }
    lock_ = std::shared_lock<std::shared_mutex>(index.mutex_);
  }

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

class Index::WriteLock {
 public:
  explicit WriteLock(const Index& index) : gate_(index.gate_), lock_(index.mutex_) {}

 private:
  std::lock_guard<std::mutex> gate_;
  std::lock_guard<std::shared_mutex> lock_;
};

Index::Index(std::unique_ptr<faiss::Index> index, FrameView frames, Metric metric, BuildReport report)
    : dimension_(frames.dimension),
      metric_(metric),
      report_(std::move(report)),
      centroids_(PackCentroids(*index)),
      cost_(*index),
      index_(std::move(index)),
      frames_(MakeFrameStore(*index_, frames)),
      finds_scores_(metric == Metric::kL2 && centroids_ != nullptr &&
                    dynamic_cast<const ListFrames*>(frames_.get()) != nullptr),
      sketches_(report_.nprobe > 1 ? ListSketches::Of(*index_, BestKernels()) : nullptr),
      stored_(frames.rows) {
  PutListsOnHugePages(*index_);
}

Index::~Index() = default;

absl::StatusOr<SearchParams> Index::Resolve(const SearchOptions& options) const {
  SearchParams params{options.k, report_.nprobe, report_.k_factor};
  if (options.k < 1)
    return Error(Reason::kBadParameter, absl::StrCat("params.k: ", options.k, " is out of range; 1 or more"));
  if (options.nprobe) {
    if (report_.nlist == 0) {
      return Error(Reason::kBadParameter, absl::StrCat("params.nprobe: the index ", report_.factory,
                                                       " has no inverted lists; leave nprobe out"));
    }
    if (*options.nprobe < 1) {
      return Error(Reason::kBadParameter, absl::StrCat("params.nprobe: ", *options.nprobe,
                                                       " is out of range; 1 to nlist, here ", report_.nlist));
    }
    params.nprobe = static_cast<int>(std::min<int64_t>(*options.nprobe, report_.nlist));
  }
  if (options.k_factor) {
    if (report_.k_factor == 0) {
      return Error(Reason::kBadParameter, absl::StrCat("params.k_factor: the index ", report_.factory,
                                                       " does not re-rank; leave k_factor out"));
    }
    if (!(*options.k_factor >= kMinKFactor && *options.k_factor <= kMaxKFactor)) {
      return Error(Reason::kBadParameter, absl::StrCat("params.k_factor: ", *options.k_factor, " is out of range; ",
                                                       kMinKFactor, " to ", kMaxKFactor));
    }
    params.k_factor = *options.k_factor;
  }
  return params;
}

const float* Index::InMetricSpace(FrameView frames, std::vector<float>* scratch) const {
  if (metric_ != Metric::kCosine) return frames.data;
  *scratch = NormalizedRows(frames);
  return scratch->data();
}

absl::StatusOr<Neighbors> Index::Search(FrameView queries, const SearchParams& params) const {
  if (queries.dimension != dimension_) {
    return Error(Reason::kDimensionMismatch,
                 absl::StrCat("the frames have ", queries.dimension, " dimensions and the experiment ", dimension_));
  }
  Neighbors neighbors;
  absl::Status status = Guarded("search", [&] {
    neighbors = Neighbors(queries.rows, params.k);
    std::vector<float> scratch;
    const float* vectors = InMetricSpace(queries, &scratch);
    const std::vector<int64_t> too_large = TooLargeRows({vectors, queries.rows, queries.dimension});
    if (!too_large.empty()) vectors = WithZeroRows({vectors, queries.rows, queries.dimension}, too_large, &scratch);
    {
      const ReadLock lock(*this);
      SearchShared(*index_, centroids_.get(), sketches_.get(), queries.rows, vectors, params,
                   neighbors.distances.data(), neighbors.ids.data());
    }
    for (const int64_t row : too_large) std::fill_n(neighbors.ids.begin() + row * params.k, params.k, -1);
  });
  if (!status.ok()) return status;
  const float worst = metric_ == Metric::kL2 ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest();
  for (size_t i = 0; i < neighbors.ids.size(); ++i) {
    if (neighbors.ids[i] < 0) neighbors.distances[i] = worst;
  }
  return neighbors;
}

int64_t Index::Blend(FrameView queries, NeighborsView neighbors, const BlendParams& params, float* out) const {
  const ReadLock lock(*this);
  int64_t passed_through = 0;
  std::vector<const float*> rows;
  std::vector<float> scores;
  for (int64_t i = 0; i < queries.rows; ++i) {
    rows.clear();
    scores.clear();
    for (int64_t j = i * neighbors.k; j < (i + 1) * neighbors.k; ++j) {
      if (neighbors.ids[j] < 0) continue;
      rows.push_back(frames_->Row(neighbors.ids[j]));
      if (finds_scores_) scores.push_back(neighbors.distances[j]);
    }
    const absl::Span<const float> frame(queries.row(i), queries.dimension);
    if (!retrieval::Blend(frame, rows, params, out + i * queries.dimension, scores)) ++passed_through;
  }
  return passed_through;
}

absl::Status Index::Add(FrameView frames) {
  // Small enough that no search waits for longer than about a block of its own.
  constexpr int64_t kRowsAtOnce = 64;
  if (absl::Status status = CheckNorms(frames); !status.ok()) return status;
  const std::lock_guard<std::mutex> alone(adding_);
  return Guarded("add", [&] {
    for (int64_t first = 0; first < frames.rows; first += kRowsAtOnce) {
      const FrameView part = frames.Slice(first, std::min(kRowsAtOnce, frames.rows - first));
      std::vector<float> scratch;
      AppendPart(part, InMetricSpace(part, &scratch));
    }
  });
}

void Index::FindLists(const faiss::IndexIVF& index, int64_t n, const float* vectors, int64_t* lists) const {
  if (centroids_ == nullptr) return index.quantizer->assign(n, vectors, lists);
  std::vector<float> distances(n);
  centroids_->Nearest(n, vectors, 1, lists, distances.data());
}

void Index::AppendPart(FrameView frames, const float* vectors) {
  auto* lists = dynamic_cast<faiss::IndexIVF*>(index_.get());
  if (lists != nullptr && dynamic_cast<faiss::IndexIVFFastScan*>(lists) == nullptr) {
    // The quantiser never changes: finding the lists needs no lock, and what is left under it is a copy.
    std::vector<int64_t> assigned(frames.rows);
    FindLists(*lists, frames.rows, vectors, assigned.data());
    const ListSketches::Rows sketched =
        sketches_ == nullptr ? ListSketches::Rows{} : sketches_->Sketch(assigned, vectors);
    GrownLists grown(lists, assigned);  // goes after the lock does
    const WriteLock lock(*this);
    grown.Swap();
    lists->add_core(frames.rows, vectors, nullptr, assigned.data());
    frames_->Append(frames, assigned);
    if (sketches_ != nullptr) sketches_->Append(assigned, sketched);
  } else {  // FastScan refuses a precomputed assignment; the others have none
    const WriteLock lock(*this);
    index_->add(frames.rows, vectors);
    frames_->Append(frames, {});
  }
  stored_ += frames.rows;
}

Frames Index::CopyFrames() const {
  const ReadLock lock(*this);
  Frames all{dimension_, {}};
  all.values.reserve(static_cast<size_t>(frames_->rows()) * dimension_);
  for (int64_t id = 0; id < frames_->rows(); ++id) {
    all.values.insert(all.values.end(), frames_->Row(id), frames_->Row(id) + dimension_);
  }
  return all;
}

Frames Index::CopyRows(const std::vector<int64_t>& ids) const {
  Frames rows{dimension_, std::vector<float>(ids.size() * static_cast<size_t>(dimension_))};
  const ReadLock lock(*this);
  float* out = rows.values.data();
  for (const int64_t id : ids) out = std::copy_n(frames_->Row(id), dimension_, out);
  return rows;
}

void Index::CopyRows(int64_t first, int64_t count, float* out) const {
  const ReadLock lock(*this);
  for (int64_t i = 0; i < count; ++i) std::copy_n(frames_->Row(first + i), dimension_, out + i * dimension_);
}

int64_t Index::rows() const {
  const ReadLock lock(*this);
  return frames_->rows();
}

int64_t Index::bytes() const {
  const ReadLock lock(*this);
  return IndexBytes(*index_) + frames_->bytes() + (centroids_ == nullptr ? 0 : centroids_->bytes()) +
         (sketches_ == nullptr ? 0 : sketches_->bytes());
}

}  // namespace kith::retrieval
