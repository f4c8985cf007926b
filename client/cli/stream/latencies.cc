#include "client/cli/stream/latencies.h"

#include <algorithm>
#include <cmath>

namespace kith::cli {

void Latencies::Add(const Latencies& other) {
  milliseconds_.insert(milliseconds_.end(), other.milliseconds_.begin(), other.milliseconds_.end());
}

double Latencies::Percentile(double percent) const {
  std::vector<double> sorted = milliseconds_;
  const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  const size_t index = std::clamp<size_t>(rank, 1, sorted.size()) - 1;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index), sorted.end());
  return sorted[index];
}

}  // namespace kith::cli
