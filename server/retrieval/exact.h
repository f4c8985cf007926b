// What every measurement of an index is held against: queries as hard as a conversion's, and exact search.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

// Queries of a measurement: recall over so many of them, 8 neighbours each, is good to about a hundredth.
inline constexpr int64_t kMeasuringQueries = 512;

// `count` mixtures of random pairs of `frames` (at least one row): each value from the one or the other. Why these:
// docs/recall.md. The same for a seed.
Frames Mixtures(FrameView frames, int64_t count, int64_t seed);

// The ids of the k nearest of `frames` to each query by exact search, queries.rows x k, row-major, nearest first.
// k is at most frames.rows. Takes all of the calling thread's OpenMP threads. Throws what faiss throws.
std::vector<int64_t> ExactIds(FrameView frames, FrameView queries, Metric metric, int k);

// The share of the exact ids that were found, row by row; both have rows of k.
double RecallOf(const std::vector<int64_t>& found, const std::vector<int64_t>& exact, int k);

}  // namespace kith::retrieval
