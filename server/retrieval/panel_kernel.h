// The inner products of a few queries with a panel of centroids, compiled once for each level of the processor.
//
// The files that implement these are compiled with options of their own, so nothing may be included there whose inline
// functions the linker could hand to the rest of the program.
#pragma once

namespace kith::retrieval::panel {

inline constexpr int kPanel = 16;  // centroids side by side
inline constexpr int kRows = 6;    // queries at once: 6 x 16 sums fill the registers of AVX2

// products[r * 16 + i] = rows[r] . centroid i, for `count` (1 to kRows) rows of `dimension` values and a panel with
// value j of centroid i at panel[j * 16 + i]. Each sum is taken in the order of j, whatever the number of rows.
using Kernel = void (*)(const float* panel, int dimension, const float* const* rows, int count, float* products);

void MultiplyBaseline(const float* panel, int dimension, const float* const* rows, int count, float* products);
void MultiplyAvx2(const float* panel, int dimension, const float* const* rows, int count, float* products);
void MultiplyAvx512(const float* panel, int dimension, const float* const* rows, int count, float* products);

}  // namespace kith::retrieval::panel
