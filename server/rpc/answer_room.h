// Memory for the answers to Search and Expand that are being made, or wait for their client to take them.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

namespace kith::rpc {

// Thread-safe; outlives its parts.
class AnswerRoom {
 public:
  // What one answer takes, until this goes.
  class Part {
   public:
    Part() = default;
    ~Part() {
      if (room_ != nullptr) room_->used_ -= bytes_;
    }
    Part(Part&& other) noexcept : room_(std::exchange(other.room_, nullptr)), bytes_(other.bytes_) {}
    Part& operator=(Part&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }

   private:
    friend class AnswerRoom;
    Part(AnswerRoom* room, int64_t bytes) : room_(room), bytes_(bytes) {}

    AnswerRoom* room_ = nullptr;
    int64_t bytes_ = 0;
  };

  explicit AnswerRoom(int64_t bytes) : bytes_(bytes) {}
  AnswerRoom(const AnswerRoom&) = delete;
  AnswerRoom& operator=(const AnswerRoom&) = delete;

  // OVERLOADED, with a retry delay, where there is no room. A lone answer has room, however large it is.
  absl::StatusOr<Part> Take(int64_t bytes);

 private:
  const int64_t bytes_;
  std::atomic<int64_t> used_{0};
};

}  // namespace kith::rpc
