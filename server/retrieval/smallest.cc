#include "server/retrieval/smallest.h"

#include <algorithm>
#include <limits>

namespace kith::retrieval {
namespace {

constexpr int64_t kScoresAtOnce = 128;
constexpr int kFew = kMinimaLanes / 2;

// That `count` of the scores are not above. Where few are wanted of many, it is little more than the last of those.
float FirstLimit(const Kernels& kernels, absl::Span<const float> scores, int count) {
  if (count > kFew || scores.size() < 2 * kMinimaLanes) return std::numeric_limits<float>::infinity();
  float lanes[kMinimaLanes];
  kernels.minima(scores.data(), static_cast<int>(scores.size()), lanes);
  if (count == 1) return *std::min_element(lanes, lanes + kMinimaLanes);
  std::nth_element(lanes, lanes + count - 1, lanes + kMinimaLanes);
  return lanes[count - 1];
}

// Into the sorted `best`, where `score` is smaller than the last, which goes.
void Insert(float score, int64_t id, int64_t* ids, std::vector<float>* best) {
  size_t place = best->size() - 1;
  for (; place > 0 && score < (*best)[place - 1]; --place) {
    (*best)[place] = (*best)[place - 1];
    ids[place] = ids[place - 1];
  }
  (*best)[place] = score;
  ids[place] = id;
}

}  // namespace

void Smallest(const Kernels& kernels, absl::Span<const float> scores, int count, int64_t* ids,
              std::vector<float>* best) {
  best->assign(count, std::numeric_limits<float>::infinity());
  std::fill(ids, ids + count, 0);
  const auto size = static_cast<int64_t>(scores.size());
  const float limit = FirstLimit(kernels, scores, count);
  for (int64_t first = 0; first < size; first += kScoresAtOnce) {
    int32_t found[kScoresAtOnce];
    const auto at_once = static_cast<int>(std::min(kScoresAtOnce, size - first));
    const int hits = kernels.at_most(scores.data() + first, at_once, std::min(limit, best->back()), found);
    for (int i = 0; i < hits; ++i) {
      const float score = scores[first + found[i]];
      if (score < best->back()) Insert(score, first + found[i], ids, best);
    }
  }
}

}  // namespace kith::retrieval
