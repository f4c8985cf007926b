#include <immintrin.h>

#include "server/retrieval/kernels/kernels_template.h"
#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {
namespace {

using Vector = float __attribute__((vector_size(64)));

template <int Count>
void ScoreBytesCount(const BytePanel& panel, int steps, const uint8_t* const* rows, const float* factors,
                     int64_t stride, float* scores) {
  constexpr int kVectors = kBytePanelWidth / 16;
  __m512i sums[Count][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < Count; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_si512();
  }
  for (int s = 0; s < steps; ++s) {
    __m512i values[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      values[v] = _mm512_loadu_si512(panel.codes + (static_cast<int64_t>(s) * kVectors + v) * 64);
#pragma GCC unroll 8
    for (int r = 0; r < Count; ++r) {
      int32_t four;
      __builtin_memcpy(&four, rows[r] + static_cast<int64_t>(4) * s, sizeof(four));
      const __m512i row = _mm512_set1_epi32(four);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], row, values[v]);
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) {
    const __m512i offsets = _mm512_loadu_si512(panel.offsets + v * 16);
    const __m512 scales = _mm512_loadu_ps(panel.scales + v * 16);
    const __m512 norms = _mm512_loadu_ps(panel.norms + v * 16);
#pragma GCC unroll 8
    for (int r = 0; r < Count; ++r) {
      const __m512 product = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[r][v], offsets));
      const __m512 factor = _mm512_mul_ps(_mm512_set1_ps(factors[r]), scales);
      _mm512_storeu_ps(scores + r * stride + v * 16, _mm512_fmadd_ps(factor, product, norms));
    }
  }
}

template <int Rows>
void ScoreBytes(const BytePanel& panel, int steps, const uint8_t* const* rows, const float* factors, int count,
                int64_t stride, float* scores) {
  if constexpr (Rows > 1) {
    if (count < Rows) return ScoreBytes<Rows - 1>(panel, steps, rows, factors, count, stride, scores);
  }
  ScoreBytesCount<Rows>(panel, steps, rows, factors, stride, scores);
}

// Lanes of the vector at `j` that hold values.
__mmask16 LanesAt(int j, int dimension) {
  return dimension - j >= 16 ? 0xffff : static_cast<__mmask16>((1 << (dimension - j)) - 1);
}

__m512 Difference(const float* values, const float* origin, int j, __mmask16 lanes) {
  return _mm512_sub_ps(_mm512_maskz_loadu_ps(lanes, values + j), _mm512_maskz_loadu_ps(lanes, origin + j));
}

float LargestDifference(const float* values, const float* origin, int dimension) {
  __m512 largest = _mm512_setzero_ps();
  for (int j = 0; j < dimension; j += 16) {
    largest = _mm512_max_ps(largest, _mm512_abs_ps(Difference(values, origin, j, LanesAt(j, dimension))));
  }
  return _mm512_reduce_max_ps(largest);
}

ByteCode EncodeBytes(const float* values, const float* origin, int dimension, int8_t* codes) {
  constexpr float kLargestCode = 127;
  constexpr float kSmallestScale = 1e-30f;  // so that neither it nor its inverse leaves a float's range
  const float scale = LargestDifference(values, origin, dimension) / kLargestCode;
  const float inverse = scale < kSmallestScale ? 0 : 1 / scale;  // where 0, all codes are, and the vector is error
  __m512 squares = _mm512_setzero_ps();
  __m512 errors = _mm512_setzero_ps();
  for (int j = 0; j < dimension; j += 16) {
    const __mmask16 lanes = LanesAt(j, dimension);
    const __m512 difference = Difference(values, origin, j, lanes);
    const __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(difference, _mm512_set1_ps(inverse)));  // rounds
    _mm512_mask_cvtsepi32_storeu_epi8(codes + j, lanes, code);
    const __m512 rounded = _mm512_cvtepi32_ps(code);
    const __m512 rest = _mm512_sub_ps(difference, _mm512_mul_ps(rounded, _mm512_set1_ps(scale)));
    squares = _mm512_fmadd_ps(rounded, rounded, squares);
    errors = _mm512_fmadd_ps(rest, rest, errors);
  }
  return {scale, _mm512_reduce_add_ps(squares) * scale * scale, __builtin_sqrtf(_mm512_reduce_add_ps(errors))};
}

// Of what is at least 0 and may be too large by `off`, squared.
__m512 SquareAtLeast(__m512 length, __m512 off) {
  const __m512 least = _mm512_max_ps(_mm512_sub_ps(length, off), _mm512_setzero_ps());
  return _mm512_mul_ps(least, least);
}

// By the triangle inequality in the space of the codes and outside it, see list_sketches.h.
__m512 PanelBounds(const SketchedQuery& query, const SketchPanel& panel, const uint8_t* codes, int steps) {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();
  for (int s = 0; s < steps; s += 2) {
    int32_t four[2];
    __builtin_memcpy(four, query.codes + static_cast<int64_t>(4) * s, sizeof(four));
    const uint8_t* step = codes + static_cast<int64_t>(s) * kSketchLanes * 4;
    even = _mm512_dpbusd_epi32(even, _mm512_loadu_si512(step), _mm512_set1_epi32(four[0]));
    odd = _mm512_dpbusd_epi32(odd, _mm512_loadu_si512(step + kSketchLanes * 4), _mm512_set1_epi32(four[1]));
  }
  constexpr int kAdded = 128;
  const __m512i product = _mm512_sub_epi32(_mm512_add_epi32(even, odd), _mm512_set1_epi32(kAdded * query.code_sum));
  const __m512 scales = _mm512_mul_ps(_mm512_loadu_ps(panel.scale), _mm512_set1_ps(2 * query.code.scale));
  const __m512 norms = _mm512_add_ps(_mm512_loadu_ps(panel.squared_norm), _mm512_set1_ps(query.code.squared_norm));
  constexpr float kRounding = 1e-6f;  // of the few operations here and in the norms
  const __m512 squares =
      _mm512_fnmadd_ps(scales, _mm512_cvtepi32_ps(product), _mm512_mul_ps(norms, _mm512_set1_ps(1 - kRounding)));
  const __m512 off = _mm512_add_ps(_mm512_loadu_ps(panel.error), _mm512_set1_ps(query.error));
  const __m512 inside = _mm512_sqrt_ps(_mm512_max_ps(squares, _mm512_setzero_ps()));
  const __m512 outside = _mm512_abs_ps(_mm512_sub_ps(_mm512_loadu_ps(panel.rest), _mm512_set1_ps(query.rest)));
  return _mm512_add_ps(SquareAtLeast(inside, off), SquareAtLeast(outside, off));
}

void SketchBounds(const SketchedQuery& query, const uint8_t* panels, int count, int steps, float* bounds) {
  const int64_t panel_bytes = static_cast<int64_t>(sizeof(SketchPanel)) + int64_t{4} * kSketchLanes * steps;
  for (int first = 0; first < count; first += kSketchLanes, panels += panel_bytes) {
    SketchPanel panel;
    __builtin_memcpy(&panel, panels, sizeof(panel));
    const __m512 found = PanelBounds(query, panel, panels + sizeof(SketchPanel), steps);
    _mm512_mask_storeu_ps(bounds + first, LanesAt(first, count), found);
  }
}

int AtMostByMask(const float* scores, int count, float limit, int32_t* found) {
  const __m512 limits = _mm512_set1_ps(limit);
  const __m512i ascending = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  int hits = 0;
  for (int first = 0; first < count; first += 16) {
    const __mmask16 lanes = LanesAt(first, count);
    const __mmask16 few =
        _mm512_mask_cmp_ps_mask(lanes, _mm512_maskz_loadu_ps(lanes, scores + first), limits, _CMP_LE_OQ);
    if (few == 0) continue;
    const __m512i places = _mm512_add_epi32(ascending, _mm512_set1_epi32(first));
    const int more = __builtin_popcount(few);
    // Compressed in a register: into memory it takes some processors a hundred cycles.
    _mm512_mask_storeu_epi32(found + hits, LanesAt(0, more), _mm512_maskz_compress_epi32(few, places));
    hits += more;
  }
  return hits;
}

constexpr Kernels WithBytes(Kernels kernels) {
  kernels.score_bytes = ScoreBytes<kBytePanelRows>;
  kernels.at_most = AtMostByMask;
  kernels.encode_bytes = EncodeBytes;
  kernels.sketch_bounds = SketchBounds;
  return kernels;
}

}  // namespace

const Kernels kVnniKernels = WithBytes(MakeKernels<Vector, 3, 8>("vnni"));

}  // namespace kith::retrieval
