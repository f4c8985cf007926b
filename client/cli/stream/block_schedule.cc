#include "client/cli/stream/block_schedule.h"

#include <algorithm>

namespace kith::cli {

int64_t BlockSchedule::FirstRow(int64_t block) const {
  return std::min<int64_t>(total_rows_, block * block_time_ / kFrameTime);
}

int64_t BlockSchedule::blocks() const {
  // The last row is complete at total_rows * frame time; its block is the first that ends no earlier.
  return (total_rows_ * kFrameTime + block_time_ - std::chrono::milliseconds(1)) / block_time_;
}

}  // namespace kith::cli
