// Splits a request that is larger than the server's limits, learns what these are, and keeps the parts to one
// generation.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "client/cpp/error.h"
#include "client/cpp/status.h"
#include "client/cpp/types.h"

namespace kith::client {

constexpr int64_t kMaxRows = 8192;          // limits.rows, unless the server is set up otherwise
constexpr int64_t kMaxPayload = 4 << 20;    // bytes of numbers in one message, either way
constexpr int64_t kBytesPerNeighbour = 12;  // an id and a distance
constexpr int kDefaultK = 8;

// What one row of a request takes in a message: 4 * dimension bytes asked, `answer` bytes answered.
inline int64_t RowBytes(int dimension, int64_t answer) {
  return std::max<int64_t>({1, static_cast<int64_t>(sizeof(float)) * dimension, answer});
}

// How large a part may be, for all calls of one connection. Begins with the server's defaults; smaller limits show in a
// part that is refused. Thread-safe.
class PartLimits {
 public:
  explicit PartLimits(int64_t payload) : payload_(payload) {}

  // One row at least.
  int64_t Rows(int64_t row_bytes) const { return std::clamp<int64_t>(payload_ / row_bytes, 1, rows_); }

  // After a part of `rows` was refused: true if it was too large, and then half of it is the most from now on.
  bool Shrink(const absl::Status& refusal, int64_t rows, int64_t row_bytes) {
    if (rows <= 1) return false;
    if (ErrorReason(refusal) == "BAD_PARAMETER" && absl::StrContains(refusal.message(), "too many for one message")) {
      Lower(rows_, rows / 2);
      return true;
    }
    if (IsMessageTooLarge(refusal)) {
      Lower(payload_, rows / 2 * row_bytes);
      return true;
    }
    return false;
  }

 private:
  static void Lower(std::atomic<int64_t>& limit, int64_t value) {
    int64_t present = limit;
    while (value < present && !limit.compare_exchange_weak(present, value)) {
    }
  }

  std::atomic<int64_t> rows_{kMaxRows};
  std::atomic<int64_t> payload_;  // bytes
};

// ask(part, &result) -> absl::Status appends one part's answer and sets result->generation. Starts anew when a training
// has replaced the generation between two parts. A request without rows is asked too: the server says what is wrong.
template <typename Result, typename Ask>
absl::StatusOr<Result> InParts(FramesView frames, int64_t row_bytes, PartLimits& limits, Ask ask) {
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Result result;
    bool one_generation = true;
    int64_t first = 0;
    do {
      const int64_t count = std::min(limits.Rows(row_bytes), frames.rows() - first);
      const int64_t generation = result.generation;
      if (absl::Status status = ask(frames.Rows(first, count), first, &result); !status.ok()) {
        if (limits.Shrink(status, count, row_bytes)) continue;  // the same rows, in smaller parts
        return status;
      }
      one_generation = first == 0 || result.generation == generation;
      first += count;
    } while (first < frames.rows() && one_generation);
    if (one_generation) return result;
  }
  return absl::AbortedError("the experiment was trained anew again and again during the call; try again later");
}

}  // namespace kith::client
