// The inner loops of a search, compiled once for each level of the processor.
//
// The files that implement these are compiled with options of their own, so nothing may be included there whose inline
// functions the linker could hand to the rest of the program.
#pragma once

#include <cstdint>

namespace kith::retrieval {

// A vector v as scale * codes, with |v - scale * codes| = error.
struct ByteCode {
  float scale;
  float squared_norm;  // of scale * codes
  float error;
};

// Centroids as bytes, kBytePanelWidth of them: what ByteCentroids keeps of each.
inline constexpr int kBytePanelWidth = 32;
inline constexpr int kBytePanelRows = 8;
struct BytePanel {
  const int8_t* codes;  // values 4 s to 4 s + 3 of centroid i at [(s * kBytePanelWidth + i) * 4]
  const float* scales;
  const float* norms;
  const int32_t* offsets;
};

// Sketches of so many vectors: of each what lies in a space of few directions, as scale * codes, and how long the rest
// is. Behind this stand the codes, value 4 s to 4 s + 3 of vector i at [(s * kSketchLanes + i) * 4], 128 added to each.
inline constexpr int kSketchLanes = 16;
struct SketchPanel {
  float scale[kSketchLanes];
  float squared_norm[kSketchLanes];  // of scale * codes
  float rest[kSketchLanes];
  float error[kSketchLanes];  // the most that scale * codes is away, and rest is wrong by
};

// A query's place beside the same centroid.
struct SketchedQuery {
  const int8_t* codes;
  int code_sum;
  ByteCode code;
  float rest;
  float error;  // the most that code * scale is away, and rest is wrong by
};

// All functions are thread-safe. What they give for a pair of rows does not depend, to the bit, on what else is in the
// call: each sum is taken in the same order.
struct Kernels {
  const char* name;  // "baseline", "avx2", "avx512", "vnni"

  // products[r * panel_width + i] = rows[r] . centroid i, for `count` (1 to panel_rows) rows of `dimension` values and
  // a panel with value j of centroid i at panel[j * panel_width + i].
  int panel_width;
  int panel_rows;
  void (*multiply)(const float* panel, int dimension, const float* const* rows, int count, float* products);

  // out[q * row_count + i]: the squared L2 distance, or the inner product, of query q and row i; any number of both.
  void (*squared_distances)(const float* const* queries, int query_count, const float* const* rows, int row_count,
                            int dimension, float* out);
  void (*inner_products)(const float* const* queries, int query_count, const float* const* rows, int row_count,
                         int dimension, float* out);

  // out = the sum of weights[i] * rows[i]; may be one of the rows.
  void (*weighted_sum)(const float* const* rows, const float* weights, int count, int dimension, float* out);

  // The places of the scores that are at most `limit`, in order, into found[count]; returns how many.
  int (*at_most)(const float* scores, int count, float limit, int32_t* found);

  // lanes[kMinimaLanes]: the smallest of every kMinimaLanes-th score, infinite where there is none.
  void (*minima)(const float* scores, int count, float* lanes);

  // scores[r * stride + i] = norms[i] + factors[r] * scales[i] * (rows[r] . codes of i - offsets[i]), for all of a
  // panel; null where the processor has no instruction for such products. `rows` hold `steps` times four values without
  // a sign. count: 1 to kBytePanelRows.
  void (*score_bytes)(const BytePanel& panel, int steps, const uint8_t* const* rows, const float* factors, int count,
                      int64_t stride, float* scores);

  // values - origin as codes of -127 to 127; null where score_bytes is. `dimension` values each.
  ByteCode (*encode_bytes)(const float* values, const float* origin, int dimension, int8_t* codes);

  // bounds[i]: not above the squared distance of the query and vector i, of `count` in one panel after the other, each
  // of `steps` times four codes; null where score_bytes is.
  void (*sketch_bounds)(const SketchedQuery& query, const uint8_t* panels, int count, int steps, float* bounds);
};

inline constexpr int kMinimaLanes = 32;
inline constexpr int kMaxPanelWidth = 48;
inline constexpr int kMaxPanelRows = 8;

inline constexpr char kSimdVariable[] = "KITH_SIMD";  // in the environment

// The best that this processor can run; or that which kSimdVariable names, for tests and comparisons, where the
// processor can run it. Always the same.
const Kernels& BestKernels();

// Null where the processor cannot run it, or there is none of that name.
const Kernels* FindKernels(const char* name);

}  // namespace kith::retrieval
