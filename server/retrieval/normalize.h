// The norms of rows: 1 for the cosine metric, and never too large for faiss.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "server/retrieval/frames.h"

namespace kith::retrieval {

// In double, so that that of a finite row never overflows.
double Norm(const float* row, int dimension);

// What a row is divided by at least to make its norm 1.
inline constexpr double kSmallestNorm = 1e-9;

// Each row divided by max(kSmallestNorm, its norm): a row of zeros stays one.
std::vector<float> NormalizedRows(FrameView frames);

// The largest norm that a row given to faiss may have; a HuBERT frame's is about 9. Where squared distances overflow,
// faiss 1.7.3 leaves the number of the nearest list unset, and then ends the process or writes to a list that is none.
inline constexpr float kMaxNorm = 1e12f;

// The rows whose norm is above kMaxNorm or is none (NaN), in order.
std::vector<int64_t> TooLargeRows(FrameView frames);

// NOT_FINITE that names the first of them, if there are any.
absl::Status CheckNorms(FrameView frames);

}  // namespace kith::retrieval
