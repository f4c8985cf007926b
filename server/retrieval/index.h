// A trained index together with the frames stored in it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/retrieval/blend.h"
#include "server/retrieval/cost.h"
#include "server/retrieval/frame_store.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/retrieval/search.h"

namespace faiss {
struct Index;
struct IndexIVF;
}  // namespace faiss

namespace kith::retrieval {

class Centroids;
class ListSketches;

// Thread-safe: searches and blends run side by side; an Add waits for those that run and holds off new ones for as long
// as it takes to append a few rows. Frames never change or go away.
class Index {
 public:
  // `index` holds one vector for each row of `frames`, in order, in the metric's own space. BuildIndex and ReadIndex
  // make these.
  Index(std::unique_ptr<faiss::Index> index, FrameView frames, Metric metric, BuildReport report);
  ~Index();

  // BAD_PARAMETER where k is below 1, or where nprobe or k_factor is out of range or means nothing to this index.
  // An nprobe above nlist means nlist, as in faiss.
  absl::StatusOr<SearchParams> Resolve(const SearchOptions& options) const;

  // So many rows that one Search of them takes a few milliseconds; 1 or more. Takes no lock. `params` come from
  // Resolve.
  int64_t RowsAtOnce(const SearchParams& params) const { return cost_.RowsAtOnce(stored_, params); }

  // The params.k nearest stored frames of each query; distances are faiss's own (recipe.h: Metric). `params` come
  // from Resolve. A query so large that its squared distances overflow (normalize.h: kMaxNorm) has no neighbours.
  // Queries with another dimension: DIMENSION_MISMATCH.
  absl::StatusOr<Neighbors> Search(FrameView queries, const SearchParams& params) const;

  // Each of `queries` blended with its neighbours, into out[queries.size()]. Ids of -1 are left out. Returns how many
  // rows had nothing to be blended with; those are copied. `neighbors` came from Search on this index.
  int64_t Blend(FrameView queries, NeighborsView neighbors, const BlendParams& params, float* out) const;

  // Appends `frames`; their ids go on from rows(). A row with a norm above kMaxNorm (normalize.h): NOT_FINITE, and
  // nothing is appended. On another error the rows before it may be in: reload the index.
  absl::Status Add(FrameView frames);

  // All frames, in the order of their ids.
  Frames CopyFrames() const;

  // Those with these ids, in this order; there is a frame for each.
  Frames CopyRows(const std::vector<int64_t>& ids) const;

  // Rows first to first + count - 1, which there are, into out[count * dimension()].
  void CopyRows(int64_t first, int64_t count, float* out) const;

  int64_t rows() const;
  int64_t bytes() const;  // of memory, estimated: the index, centroids packed, sketches, and the frames
  int dimension() const { return dimension_; }
  Metric metric() const { return metric_; }
  const BuildReport& report() const { return report_; }

  // For writing it to disk. Nobody adds meanwhile.
  const faiss::Index& faiss_index() const { return *index_; }

 private:
  class ReadLock;
  class WriteLock;

  // Vectors as the index holds them: `frames` themselves, or in `scratch` at norm 1 for cosine.
  const float* InMetricSpace(FrameView frames, std::vector<float>* scratch) const;
  void FindLists(const faiss::IndexIVF& index, int64_t n, const float* vectors, int64_t* lists) const;
  void AppendPart(FrameView frames, const float* vectors);

  // Constant after construction.
  const int dimension_;
  const Metric metric_;
  const BuildReport report_;
  const std::unique_ptr<const Centroids> centroids_;  // refer to index_; null where it has none that could be packed

  const SearchCost cost_;

  std::mutex adding_;  // one Add at a time; taken before the others

  // A writer holds gate_ while it waits, so that a steady stream of readers cannot starve it.
  mutable std::mutex gate_;
  mutable std::shared_mutex mutex_;
  const std::unique_ptr<faiss::Index> index_;     // contents guarded by mutex_
  const std::unique_ptr<FrameStore> frames_;      // contents guarded by mutex_
  const bool finds_scores_;                       // a search's distances are Blend's scores
  const std::unique_ptr<ListSketches> sketches_;  // of index_, contents guarded by mutex_; or null
  std::atomic<int64_t> stored_;                   // rows, for those without the lock
};

}  // namespace kith::retrieval
