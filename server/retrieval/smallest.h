// The smallest of a row of scores.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

// The ids of the `count` (1 to scores.size()) smallest of `scores`, smallest first; of equal ones the first. `best`
// gets their scores.
void Smallest(const Kernels& kernels, absl::Span<const float> scores, int count, int64_t* ids,
              std::vector<float>* best);

}  // namespace kith::retrieval
