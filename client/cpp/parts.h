// Splits a request that is larger than the server's limits, and keeps the parts to one generation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/types.h"

namespace kith::client {

constexpr int64_t kMaxRows = 8192;          // limits.rows
constexpr int64_t kMaxPayload = 4 << 20;    // bytes of numbers in one message, either way
constexpr int64_t kBytesPerNeighbour = 12;  // an id and a distance
constexpr int kDefaultK = 8;

// The rows of one part: at most kMaxRows, and at most `payload` bytes asked (4 * dimension a row) and answered
// (`answer_row_bytes` a row), but one row at least.
inline int64_t RowsPerPart(int dimension, int64_t answer_row_bytes, int64_t payload) {
  const int64_t row_bytes = std::max<int64_t>(static_cast<int64_t>(sizeof(float)) * dimension, answer_row_bytes);
  return std::clamp<int64_t>(payload / std::max<int64_t>(1, row_bytes), 1, kMaxRows);
}

// ask(part, &result) -> absl::Status appends one part's answer and sets result->generation. Starts anew when a training
// has replaced the generation between two parts. A request without rows is asked too: the server says what is wrong.
template <typename Result, typename Ask>
absl::StatusOr<Result> InParts(FramesView frames, int64_t part_rows, Ask ask) {
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Result result;
    bool one_generation = true;
    int64_t first = 0;
    do {
      const int64_t count = std::min(part_rows, frames.rows() - first);
      const int64_t generation = result.generation;
      if (absl::Status status = ask(frames.Rows(first, count), first, &result); !status.ok()) return status;
      one_generation = first == 0 || result.generation == generation;
      first += count;
    } while (first < frames.rows() && one_generation);
    if (one_generation) return result;
  }
  return absl::AbortedError("the experiment was trained anew again and again during the call; try again later");
}

}  // namespace kith::client
