// Queries and their exact answers, to measure indexes against.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/search.h"

namespace kith::retrieval {

struct Quality {
  double recall_at_8 = 0;
  double blend_cosine = 0;
};

// Used by one thread. Both views have to outlive it.
class Yardstick {
 public:
  // Searches `frames` for the exact blends of `queries`. Both have at least one row. Throws what faiss throws.
  Yardstick(FrameView frames, FrameView queries, Metric metric);

  // The exact neighbours of the queries in `stored`, which an index holds instead of the frames.
  std::vector<int64_t> ExactIn(FrameView stored) const;
  // Those in the frames themselves.
  const std::vector<int64_t>& exact() const { return exact_; }

  // How good the index is at `params`, whose k is NeighborsAmong(index.rows()). `exact` is ExactIn of its rows.
  absl::StatusOr<Quality> Measure(const Index& index, const SearchParams& params,
                                  const std::vector<int64_t>& exact) const;

  // Microseconds that a row takes to be searched and blended, in blocks of 16 rows on one thread: the median of 32
  // blocks, taken from the queries as often as it needs.
  absl::StatusOr<double> MicrosecondsPerRow(const Index& index, const SearchParams& params) const;

  // The k of every measurement: 8, or as many as there are rows.
  static int NeighborsAmong(int64_t rows);

 private:
  const FrameView frames_;
  const FrameView queries_;
  const Metric metric_;
  std::vector<int64_t> exact_;
  std::vector<float> exact_blends_;
  Frames blocks_;
};

}  // namespace kith::retrieval
