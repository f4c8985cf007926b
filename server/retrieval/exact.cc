#include "server/retrieval/exact.h"

#include <faiss/utils/distances.h>

#include <algorithm>
#include <random>

#include "server/retrieval/normalize.h"

namespace kith::retrieval {

Frames Mixtures(FrameView frames, int64_t count, int64_t seed) {
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  std::uniform_int_distribution<int64_t> any_row(0, frames.rows - 1);
  Frames queries{frames.dimension, {}};
  queries.values.reserve(count * frames.dimension);
  for (int64_t i = 0; i < count; ++i) {
    const float* a = frames.row(any_row(random));
    const float* b = frames.row(any_row(random));
    for (int j = 0; j < frames.dimension; ++j) queries.values.push_back((random() & 1) != 0 ? a[j] : b[j]);
  }
  return queries;
}

std::vector<int64_t> ExactIds(FrameView frames, FrameView queries, Metric metric, int k) {
  const auto n = static_cast<size_t>(queries.rows);
  const auto width = static_cast<size_t>(k);
  std::vector<int64_t> ids(n * width);
  std::vector<float> distances(ids.size());
  std::vector<float> unit_frames;
  std::vector<float> unit_queries;
  if (metric == Metric::kCosine) {
    unit_frames = NormalizedRows(frames);
    unit_queries = NormalizedRows(queries);
    frames.data = unit_frames.data();
    queries.data = unit_queries.data();
  }
  if (metric == Metric::kL2) {
    faiss::float_maxheap_array_t heaps{n, width, ids.data(), distances.data()};
    faiss::knn_L2sqr(queries.data, frames.data, frames.dimension, n, frames.rows, &heaps);
  } else {
    faiss::float_minheap_array_t heaps{n, width, ids.data(), distances.data()};
    faiss::knn_inner_product(queries.data, frames.data, frames.dimension, n, frames.rows, &heaps);
  }
  return ids;
}

double RecallOf(const std::vector<int64_t>& found, const std::vector<int64_t>& exact, int k) {
  int64_t hits = 0;
  for (size_t first = 0; first < exact.size(); first += k) {
    const auto wanted = exact.begin() + first;
    hits += std::count_if(found.begin() + first, found.begin() + first + k,
                          [&](int64_t id) { return std::find(wanted, wanted + k, id) != wanted + k; });
  }
  return static_cast<double>(hits) / static_cast<double>(exact.size());
}

}  // namespace kith::retrieval
