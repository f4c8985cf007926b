// Which indexes a tuning tries.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/retrieval/recipe.h"
#include "server/retrieval/search.h"

namespace kith::retrieval {

// One index to build, and the k_factors to search it with; nprobe is swept where it has lists.
struct Trial {
  Recipe recipe;                 // a factory string, without nprobe and k_factor
  std::vector<float> k_factors;  // empty: the index does not re-rank
  int64_t rows = 0;              // that it will store
};

// For `rows` frames of `dimension` values: Flat; IVF with 4 sqrt(N), RVC's min(16 sqrt(N), N / 39) and N / 39 lists,
// and where these are the same (below 24,336 rows) with a half and a quarter of them; 4-bit FastScan codes in 4 sqrt(N)
// lists, with and without re-ranking; HNSW32 up to kMostHnswRows; compressed to min(10000, N / 4) centres; expanded by
// 8 neighbours with alpha 3. Only what can be trained on so many rows, and codes from 624 rows on. Trials with the same
// compression and expansion stand together.
std::vector<Trial> PlanTrials(int64_t rows, int dimension, Metric metric, int64_t seed);

// The most rows that HNSW is tried on: linking them takes longer than all the rest.
inline constexpr int64_t kMostHnswRows = 100'000;

// 1, 2, 4, 6, 8, 12, 16, 24, ... up to nlist: what a sweep over nprobe tries after `nprobe`; 0 after the last.
int NextNprobe(int nprobe, int64_t nlist);

// "compressed to 1813, IVF170,Flat": what a trial is called.
std::string TrialName(const Recipe& recipe);

}  // namespace kith::retrieval
