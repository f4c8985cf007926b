#include "server/retrieval/yardstick.h"

#include <algorithm>
#include <cmath>

#include "server/base/clock.h"
#include "server/retrieval/blend.h"
#include "server/retrieval/exact.h"
#include "server/retrieval/one_thread.h"

namespace kith::retrieval {
namespace {

constexpr int kNeighbors = 8;
constexpr int64_t kBlockRows = 16;
constexpr int64_t kBlocks = 32;

double Cosine(const float* a, const float* b, int dimension) {
  double dot = 0;
  double norm_a = 0;
  double norm_b = 0;
  for (int i = 0; i < dimension; ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    norm_a += static_cast<double>(a[i]) * a[i];
    norm_b += static_cast<double>(b[i]) * b[i];
  }
  if (norm_a == 0 && norm_b == 0) return 1;  // both zero: equal
  return norm_a == 0 || norm_b == 0 ? 0 : dot / std::sqrt(norm_a * norm_b);
}

double MeanCosine(const std::vector<float>& a, const std::vector<float>& b, int dimension) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); i += dimension) sum += Cosine(a.data() + i, b.data() + i, dimension);
  return sum * dimension / static_cast<double>(a.size());
}

}  // namespace

int Yardstick::NeighborsAmong(int64_t rows) { return static_cast<int>(std::min<int64_t>(kNeighbors, rows)); }

Yardstick::Yardstick(FrameView frames, FrameView queries, Metric metric)
    : frames_(frames), queries_(queries), metric_(metric), exact_(ExactIn(frames)) {
  exact_blends_.resize(queries.size());
  const int k = NeighborsAmong(frames.rows);
  std::vector<const float*> rows;
  for (int64_t i = 0; i < queries.rows; ++i) {
    rows.clear();
    for (int j = 0; j < k; ++j) {
      if (const int64_t id = exact_[i * k + j]; id >= 0) rows.push_back(frames.row(id));
    }
    const absl::Span<const float> query(queries.row(i), queries.dimension);
    retrieval::Blend(query, rows, {}, exact_blends_.data() + i * queries.dimension);
  }
  blocks_.dimension = queries.dimension;
  for (int64_t i = 0; i < kBlocks * kBlockRows; ++i) {
    const float* row = queries.row(i % queries.rows);
    blocks_.values.insert(blocks_.values.end(), row, row + queries.dimension);
  }
}

std::vector<int64_t> Yardstick::ExactIn(FrameView stored) const {
  return ExactIds(stored, queries_, metric_, NeighborsAmong(stored.rows));
}

absl::StatusOr<Quality> Yardstick::Measure(const Index& index, const SearchParams& params,
                                           const std::vector<int64_t>& exact) const {
  const auto found = index.Search(queries_, params);
  if (!found.ok()) return found.status();
  std::vector<float> blends(queries_.size());
  index.Blend(queries_, *found, {}, blends.data());
  return Quality{RecallOf(found->ids, exact, params.k), MeanCosine(blends, exact_blends_, queries_.dimension)};
}

absl::StatusOr<double> Yardstick::MicrosecondsPerRow(const Index& index, const SearchParams& params) const {
  const OneThread alone;
  std::vector<float> blended(kBlockRows * queries_.dimension);
  std::vector<double> seconds;
  for (int64_t block = -1; block < kBlocks; ++block) {
    const FrameView rows = blocks_.view().Slice(std::max<int64_t>(block, 0) * kBlockRows, kBlockRows);
    const TimePoint start = Clock::now();
    const auto found = index.Search(rows, params);
    if (!found.ok()) return found.status();
    index.Blend(rows, *found, {}, blended.data());
    if (block >= 0) seconds.push_back(SecondsSince(start));  // the one before the first warms up
  }
  const auto median = seconds.begin() + kBlocks / 2;
  std::nth_element(seconds.begin(), median, seconds.end());
  return *median * 1e6 / kBlockRows;
}

}  // namespace kith::retrieval
