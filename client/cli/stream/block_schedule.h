// Which frames make a block, and when it is there.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kith::cli {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

inline constexpr std::chrono::milliseconds kFrameTime{20};

// Block number b holds the frames that are complete by (b + 1) * block time and in no earlier block: at 250 ms that is
// 12 and 13 frames in turn, so that the pace is exact. The last block holds what is left.
class BlockSchedule {
 public:
  // block_time is at least one frame's time; total_rows is 0 or more.
  BlockSchedule(std::chrono::milliseconds block_time, int64_t total_rows)
      : block_time_(block_time), total_rows_(total_rows) {}

  int64_t blocks() const;
  int64_t FirstRow(int64_t block) const;
  int64_t Rows(int64_t block) const { return FirstRow(block + 1) - FirstRow(block); }

  // When the last frame of the block is there, counted from the start of the first frame.
  std::chrono::milliseconds Ready(int64_t block) const { return FirstRow(block + 1) * kFrameTime; }

 private:
  const std::chrono::milliseconds block_time_;
  const int64_t total_rows_;
};

// How far behind the first client the one numbered `client` of `clients` begins: their blocks are spread evenly over a
// block's time.
inline Clock::duration Phase(std::chrono::milliseconds block_time, int client, int clients) {
  return Clock::duration(block_time) * client / clients;
}

// How many blocks can wait for their answers at once in real time, with one to spare.
inline size_t MostUnderWay(std::chrono::milliseconds block_time, std::chrono::milliseconds budget) {
  return static_cast<size_t>(budget / block_time) + 2;
}

}  // namespace kith::cli
