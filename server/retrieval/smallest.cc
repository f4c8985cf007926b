#include "server/retrieval/smallest.h"

#include <algorithm>
#include <limits>

namespace kith::retrieval {

void Smallest(absl::Span<const float> scores, int count, int64_t* ids, std::vector<float>* best) {
  best->assign(count, std::numeric_limits<float>::infinity());
  std::fill(ids, ids + count, 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!(scores[i] < best->back())) continue;
    int place = count - 1;
    for (; place > 0 && scores[i] < (*best)[place - 1]; --place) {
      (*best)[place] = (*best)[place - 1];
      ids[place] = ids[place - 1];
    }
    (*best)[place] = scores[i];
    ids[place] = static_cast<int64_t>(i);
  }
}

}  // namespace kith::retrieval
