#include "server/experiments/live_frames.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace kith::experiments {
namespace {

// Two seconds of 16 clients that send a block every 250 ms.
constexpr size_t kBlocks = 128;
constexpr int64_t kRowsOfBlock = 8;
// Of all that is kept.
constexpr size_t kBytes = size_t{4} << 20;

}  // namespace

void LiveFrames::Note(retrieval::FrameView frames, TimePoint now) {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  if (now >= until_) return End();
  const int64_t rows = std::min(kRowsOfBlock, frames.rows);
  Block block{++last_, now, {frames.dimension, {}}};
  block.frames.values.reserve(static_cast<size_t>(rows) * frames.dimension);
  for (int64_t i = 0; i < rows; ++i) {
    const float* const row = frames.row(i * frames.rows / rows);
    block.frames.values.insert(block.frames.values.end(), row, row + frames.dimension);
  }
  const size_t most = std::clamp(kBytes / (block.frames.values.size() * sizeof(float)), size_t{1}, kBlocks);
  blocks_.push_back(std::move(block));
  while (blocks_.size() > most) blocks_.pop_front();
}

std::vector<LiveFrames::Block> LiveFrames::Watch(int64_t after, TimePoint until) {
  const std::lock_guard<std::mutex> lock(mutex_);
  until_ = until;
  watched_ = true;
  std::vector<Block> blocks;
  for (const Block& block : blocks_) {
    if (block.number > after) blocks.push_back(block);
  }
  return blocks;
}

void LiveFrames::EndIfOver(TimePoint now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (watched_ && now >= until_) End();
}

void LiveFrames::End() {
  watched_ = false;
  blocks_.clear();
  blocks_.shrink_to_fit();
}

}  // namespace kith::experiments
