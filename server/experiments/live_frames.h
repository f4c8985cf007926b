// Frames that an experiment is being asked for, for whoever watches.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "server/base/clock.h"
#include "server/retrieval/frames.h"

namespace kith::experiments {

// Keeps some rows of the last blocks, while somebody watches. Thread-safe.
class LiveFrames {
 public:
  struct Block {
    int64_t number = 0;  // 1 for the first that was kept
    TimePoint time;
    retrieval::Frames frames;
  };

  // To be asked for every block, before Note.
  bool IsWatched() const { return watched_.load(std::memory_order_relaxed); }

  // Keeps a few rows of the block. Where another is being kept at this moment, this one is not.
  void Note(retrieval::FrameView frames, TimePoint now);

  // Watches until `until`, and gives the blocks that were kept after the one of this number.
  std::vector<Block> Watch(int64_t after, TimePoint until);

  // Forgets what was kept if nobody watches any more.
  void EndIfOver(TimePoint now);

 private:
  // With mutex_ held.
  void End();

  std::atomic<bool> watched_{false};
  std::mutex mutex_;
  std::deque<Block> blocks_;  // guarded by mutex_
  int64_t last_ = 0;          // guarded by mutex_
  TimePoint until_;           // guarded by mutex_
};

}  // namespace kith::experiments
