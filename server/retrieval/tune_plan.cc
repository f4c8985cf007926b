#include "server/retrieval/tune_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kith::retrieval {
namespace {

constexpr int64_t kRowsForCodes = 16 * kRowsPerList;  // k-means wants as many for the 16 codes of each part
constexpr int kExpansionNeighbors = 8;

int64_t ListsBySquareRoot(int64_t rows, double factor) {
  return std::min(static_cast<int64_t>(factor * std::sqrt(static_cast<double>(rows))), rows / kRowsPerList);
}

class Planner {
 public:
  Planner(int64_t rows, int dimension, Metric metric, int64_t seed) : dimension_(dimension), rows_(rows) {
    base_.metric = metric;
    base_.seed = seed;
  }

  std::vector<Trial> Plan() {
    Add("Flat");
    const int64_t few = ListsBySquareRoot(rows_, 4);
    const int64_t many = ListsBySquareRoot(rows_, 16);
    for (const int64_t nlist : {few, many, rows_ / kRowsPerList}) AddLists(nlist);
    if (few == many) {  // of few rows all three are one: longer lists are what is left to try
      for (const int64_t nlist : {many / 2, many / 4}) AddLists(nlist);
    }
    if (rows_ >= kRowsForCodes) AddCodes(few);
    if (rows_ <= kMostHnswRows) Add("HNSW32");
    AddCompressed(std::min(kRvcCentres, rows_ / 4));
    AddExpanded(many);
    return std::move(trials_);
  }

 private:
  void Add(const std::string& factory, std::vector<float> k_factors = {}) {
    Trial trial{base_, std::move(k_factors), rows_};
    trial.recipe.factory = factory;
    const auto same = [&](const Trial& other) { return TrialName(other.recipe) == TrialName(trial.recipe); };
    if (std::any_of(trials_.begin(), trials_.end(), same)) return;
    if (PlanBuild(trial.recipe, rows_, dimension_).ok()) trials_.push_back(std::move(trial));
  }

  void AddLists(int64_t nlist) { Add(absl::StrCat("IVF", nlist, ",Flat")); }

  void AddCodes(int64_t nlist) {
    const std::string codes = absl::StrCat("IVF", nlist, ",PQ", dimension_ / 2, "x4fs");
    Add(codes);
    Add(absl::StrCat(codes, ",RFlat"), {2, 4, 8, 16});
  }

  void AddCompressed(int64_t centres) {
    if (centres < kRowsPerList) return;
    const int64_t all_rows = std::exchange(rows_, centres);
    base_.compression = Compression{centres, std::nullopt, std::nullopt};
    Add("Flat");
    AddLists(ListsBySquareRoot(centres, 4));
    base_.compression.reset();
    rows_ = all_rows;
  }

  void AddExpanded(int64_t nlist) {
    if (rows_ < kRowsPerList) return;
    base_.expansion = Expansion{kExpansionNeighbors, 3, false};
    AddLists(nlist);
    base_.expansion.reset();
  }

  const int dimension_;
  int64_t rows_;
  Recipe base_;  // what the next trial has besides its factory
  std::vector<Trial> trials_;
};

}  // namespace

std::vector<Trial> PlanTrials(int64_t rows, int dimension, Metric metric, int64_t seed) {
  return Planner(rows, dimension, metric, seed).Plan();
}

int NextNprobe(int nprobe, int64_t nlist) {
  if (nprobe >= nlist) return 0;
  int64_t next = 1;
  int64_t power = 1;
  while (next <= nprobe) {  // each power of two, and from 4 on the middle to the next one
    next = next == power && power >= 4 ? power / 2 * 3 : power * 2;
    if (next == power * 2) power = next;
  }
  return static_cast<int>(std::min(next, nlist));
}

std::string TrialName(const Recipe& recipe) {
  std::string name;
  if (recipe.compression) absl::StrAppend(&name, "compressed to ", recipe.compression->centres, ", ");
  if (recipe.expansion) absl::StrAppend(&name, "expanded by ", recipe.expansion->neighbors, ", ");
  return absl::StrCat(name, recipe.factory);
}

}  // namespace kith::retrieval
