// How much memory the experiments may take, all together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kith::experiments {

// Counts the bytes of indexes, frames and trainings. Thread-safe.
class MemoryBudget {
 public:
  // A part of the budget, given back when this goes away. Used by one thread at a time, but for bytes().
  class Reservation {
   public:
    Reservation() = default;  // of nothing
    ~Reservation() { Release(); }
    Reservation(Reservation&& other) noexcept { *this = std::move(other); }
    Reservation& operator=(Reservation&& other) noexcept;

    int64_t bytes() const { return bytes_; }
    // Asks for more, or gives some back. MEMORY_BUDGET, and nothing has changed.
    absl::Status Resize(int64_t bytes, const std::string& what);
    // Says what is really taken; that may be above the budget.
    void Correct(int64_t bytes);

   private:
    friend class MemoryBudget;
    Reservation(MemoryBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {}
    void Release() { Correct(0); }

    MemoryBudget* budget_ = nullptr;
    std::atomic<int64_t> bytes_{0};
  };

  // Lets go of experiments that nobody uses until at least `bytes` are given back, or no more can be. False: there was
  // nothing to let go of, nor anything that had been let go of and was still to be given back.
  using MakeRoom = std::function<bool(int64_t bytes)>;

  explicit MemoryBudget(int64_t limit) : limit_(limit) {}

  // Without one nothing is let go. Nobody reserves meanwhile.
  void SetMakeRoom(MakeRoom make_room) { make_room_ = std::move(make_room); }

  // Reserves, letting go of what nobody uses where there is no room. MEMORY_BUDGET, with the figures, where that is not
  // enough; `what` says for what, as in "loading 'my-voice'". Blocks for as long as letting go takes.
  absl::StatusOr<Reservation> Reserve(int64_t bytes, const std::string& what);

  // The error of Reserve.
  absl::Status Full(int64_t bytes, const std::string& what) const;

  // From now on so many bytes. Where more are in use, experiments that nobody uses are let go of.
  void SetLimit(int64_t limit);

  int64_t limit() const;
  int64_t used() const;

 private:
  absl::Status Take(int64_t bytes, const std::string& what);

  int64_t limit_;       // guarded by mutex_
  MakeRoom make_room_;  // constant once something is reserved
  mutable std::mutex mutex_;
  int64_t used_ = 0;  // guarded by mutex_
};

}  // namespace kith::experiments
