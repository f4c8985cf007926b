// What the files that implement kernels.h have in common; included by those alone.
#pragma once

#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {
namespace {  // NOLINT(google-build-namespaces): a copy for each, with its own instructions

template <typename Vector>
constexpr int kWidth = sizeof(Vector) / sizeof(float);

template <typename Vector>
inline Vector Load(const float* values) {
  Vector vector;
  __builtin_memcpy(&vector, values, sizeof(vector));  // one unaligned load
  return vector;
}

// Half to half, so that no sum waits for a long chain of others.
template <typename Vector>
inline float Sum(const Vector& vector) {
  if constexpr (kWidth<Vector> == 16) {
    return Sum(__builtin_shufflevector(vector, vector, 0, 1, 2, 3, 4, 5, 6, 7) +
               __builtin_shufflevector(vector, vector, 8, 9, 10, 11, 12, 13, 14, 15));
  } else if constexpr (kWidth<Vector> == 8) {
    return Sum(__builtin_shufflevector(vector, vector, 0, 1, 2, 3) +
               __builtin_shufflevector(vector, vector, 4, 5, 6, 7));
  } else {
    const Vector halves = vector + __builtin_shufflevector(vector, vector, 2, 3, 0, 1);
    return halves[0] + halves[1];
  }
}

// --- multiply

template <typename Vector, int Vectors, int Count>
void MultiplyCount(const float* panel, int dimension, const float* const* rows, float* products) {
  constexpr int kPanel = Vectors * kWidth<Vector>;
  Vector sums[Count][Vectors] = {};
  for (int j = 0; j < dimension; ++j) {
    Vector values[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      values[v] = Load<Vector>(panel + static_cast<int64_t>(j) * kPanel + static_cast<int64_t>(v) * kWidth<Vector>);
#pragma GCC unroll 8
    for (int r = 0; r < Count; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] += values[v] * rows[r][j];
    }
  }
  __builtin_memcpy(products, sums, sizeof(sums));
}

template <typename Vector, int Vectors, int Rows>
void Multiply(const float* panel, int dimension, const float* const* rows, int count, float* products) {
  if constexpr (Rows > 1) {
    if (count < Rows) return Multiply<Vector, Vectors, Rows - 1>(panel, dimension, rows, count, products);
  }
  MultiplyCount<Vector, Vectors, Rows>(panel, dimension, rows, products);
}

// --- squared_distances, inner_products

struct SquaredDifference {
  template <typename T>
  static T Add(T sum, T a, T b) {
    return sum + (a - b) * (a - b);
  }
};
struct Product {
  template <typename T>
  static T Add(T sum, T a, T b) {
    return sum + a * b;
  }
};

// One row after the other, each from its start to its end: the order in which memory is read ahead. Each pair has sums
// that do not wait for each other.
template <typename Vector, typename Term, int Queries>
inline void CompareWithRow(const float* const* queries, const float* row, int dimension, int stride, float* out) {
  constexpr int kSums = 4;
  constexpr int kStep = kSums * kWidth<Vector>;
  Vector sums[Queries][kSums] = {};
  int j = 0;
  for (; j + kStep <= dimension; j += kStep) {
    Vector values[kSums];
#pragma GCC unroll 4
    for (int s = 0; s < kSums; ++s) values[s] = Load<Vector>(row + j + s * kWidth<Vector>);
#pragma GCC unroll 4
    for (int q = 0; q < Queries; ++q) {
#pragma GCC unroll 4
      for (int s = 0; s < kSums; ++s) {
        sums[q][s] = Term::Add(sums[q][s], Load<Vector>(queries[q] + j + s * kWidth<Vector>), values[s]);
      }
    }
  }
  for (; j + kWidth<Vector> <= dimension; j += kWidth<Vector>) {
    const auto values = Load<Vector>(row + j);
#pragma GCC unroll 4
    for (int q = 0; q < Queries; ++q) sums[q][0] = Term::Add(sums[q][0], Load<Vector>(queries[q] + j), values);
  }
  for (int q = 0; q < Queries; ++q) {
    float sum = Sum((sums[q][0] + sums[q][1]) + (sums[q][2] + sums[q][3]));
    for (int rest = j; rest < dimension; ++rest) sum = Term::Add(sum, queries[q][rest], row[rest]);
    out[static_cast<int64_t>(q) * stride] = sum;
  }
}

// As many queries at once as there are registers for.
template <typename Vector, typename Term, int Queries = kWidth<Vector> == 16 ? 4 : 2>
void Compare(const float* const* queries, int query_count, const float* const* rows, int row_count, int dimension,
             float* out) {
  int q = 0;
  for (; q + Queries <= query_count; q += Queries) {
    float* const found = out + static_cast<int64_t>(q) * row_count;
    for (int i = 0; i < row_count; ++i) {
      CompareWithRow<Vector, Term, Queries>(queries + q, rows[i], dimension, row_count, found + i);
    }
  }
  if constexpr (Queries > 1) {
    if (q < query_count) {
      Compare<Vector, Term, Queries / 2>(queries + q, query_count - q, rows, row_count, dimension,
                                         out + static_cast<int64_t>(q) * row_count);
    }
  }
}

// --- weighted_sum

template <typename Vector>
void WeightedSum(const float* const* rows, const float* weights, int count, int dimension, float* out) {
  const int whole = dimension - dimension % kWidth<Vector>;
  for (int j = 0; j < whole; j += kWidth<Vector>) {
    Vector sum = {};
    for (int i = 0; i < count; ++i) sum += Load<Vector>(rows[i] + j) * weights[i];
    __builtin_memcpy(out + j, &sum, sizeof(sum));
  }
  for (int j = whole; j < dimension; ++j) {
    float sum = 0;
    for (int i = 0; i < count; ++i) sum += rows[i][j] * weights[i];
    out[j] = sum;
  }
}

// --- at_most

// By blocks, most of which have none.
template <typename Vector>
int AtMost(const float* scores, int count, float limit, int32_t* found) {
  constexpr int kBlock = 4 * kWidth<Vector>;
  int hits = 0;
  for (int first = 0; first < count; first += kBlock) {
    const int end = first + kBlock < count ? first + kBlock : count;
    if (end - first == kBlock) {
      auto any = Load<Vector>(scores + first) <= limit;
#pragma GCC unroll 3
      for (int v = 1; v < 4; ++v) any |= Load<Vector>(scores + first + v * kWidth<Vector>) <= limit;
      int64_t lanes[kWidth<Vector> / 2];
      __builtin_memcpy(lanes, &any, sizeof(any));
      int64_t all = 0;
#pragma GCC unroll 8
      for (const int64_t lane : lanes) all |= lane;
      if (all == 0) continue;
    }
    for (int i = first; i < end; ++i) {
      found[hits] = i;
      hits += scores[i] <= limit ? 1 : 0;
    }
  }
  return hits;
}

// --- minima

template <typename Vector>
void Minima(const float* scores, int count, float* lanes) {
  constexpr int kVectors = kMinimaLanes / kWidth<Vector>;
  Vector least[kVectors];
  for (int v = 0; v < kVectors; ++v) least[v] = Vector{} + __builtin_inff();
  const int whole = count - count % kMinimaLanes;
  for (int first = 0; first < whole; first += kMinimaLanes) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const auto values = Load<Vector>(scores + first + v * kWidth<Vector>);
      least[v] = values < least[v] ? values : least[v];
    }
  }
  __builtin_memcpy(lanes, least, sizeof(least));
  for (int i = whole; i < count; ++i) {
    if (scores[i] < lanes[i - whole]) lanes[i - whole] = scores[i];
  }
}

template <typename Vector, int Vectors, int Rows>
constexpr Kernels MakeKernels(const char* name) {
  static_assert(Vectors * kWidth<Vector> <= kMaxPanelWidth && Rows <= kMaxPanelRows, "buffers are made for these");
  return {name,
          Vectors * kWidth<Vector>,
          Rows,
          Multiply<Vector, Vectors, Rows>,
          Compare<Vector, SquaredDifference>,
          Compare<Vector, Product>,
          WeightedSum<Vector>,
          AtMost<Vector>,
          Minima<Vector>,
          nullptr,
          nullptr,
          nullptr};
}

}  // namespace
}  // namespace kith::retrieval
