// The weight of a neighbour in alpha expansion, of queries (blend.h) and of stored frames (expansion.h).
#pragma once

#include <cmath>

namespace kith::retrieval {

// max(0, cosine)^alpha over largest^alpha, where `largest` is the largest cosine of the sum: the mean is the same, and
// a large alpha leaves the nearest its weight. A cosine of 0 or below weighs nothing by any alpha, 0 included, which is
// what it tends to for a small one; by alpha 0 all others weigh the same.
inline double AlphaWeight(double cosine, double largest, double alpha) {
  return cosine > 0 ? std::pow(cosine / largest, alpha) : 0;
}

}  // namespace kith::retrieval
