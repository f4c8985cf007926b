#include <immintrin.h>

#include "server/retrieval/kernels/kernels_template.h"
#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {
namespace {

using Vector = float __attribute__((vector_size(64)));

template <int kCount>
void MultiplyBytesCount(const int8_t* panel, int steps, const uint8_t* const* rows, int32_t* products) {
  constexpr int kVectors = kBytePanelWidth / 16;
  __m512i sums[kCount][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_setzero_si512();
  }
  for (int s = 0; s < steps; ++s) {
    __m512i values[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) values[v] = _mm512_loadu_si512(panel + (s * kVectors + v) * 64);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
      int32_t four;
      __builtin_memcpy(&four, rows[r] + 4 * s, sizeof(four));
      const __m512i row = _mm512_set1_epi32(four);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], row, values[v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_si512(products + r * kBytePanelWidth + v * 16, sums[r][v]);
    }
  }
}

template <int kRows>
void MultiplyBytes(const int8_t* panel, int steps, const uint8_t* const* rows, int count, int32_t* products) {
  if constexpr (kRows > 1) {
    if (count < kRows) return MultiplyBytes<kRows - 1>(panel, steps, rows, count, products);
  }
  MultiplyBytesCount<kRows>(panel, steps, rows, products);
}

constexpr Kernels WithBytes(Kernels kernels) {
  kernels.multiply_bytes = MultiplyBytes<kBytePanelRows>;
  return kernels;
}

}  // namespace

const Kernels kVnniKernels = WithBytes(MakeKernels<Vector, 3, 8>("vnni"));

}  // namespace kith::retrieval
