// What the tests of this room share: indexes of every form, references to hold their answers against.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/retrieval/build.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"
#include "server/retrieval/search.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// "auto" or the like gives a named recipe, anything else an explicit factory.
Recipe RecipeOf(const std::string& name_or_factory, Metric metric = Metric::kL2);

absl::StatusOr<std::unique_ptr<Index>> TryBuild(const Recipe& recipe, const Frames& frames);

// The same where a failure is the test's own mistake: ends the program, saying why.
std::unique_ptr<Index> MustBuild(const Recipe& recipe, const Frames& frames);

// A search with its parameters resolved; ends the program on an error.
Neighbors MustSearch(const Index& index, FrameView queries, const SearchOptions& options = {});

Frames Join(FrameView first, FrameView second);

// Rows divided by max(1e-9, norm), as the cosine metric has them.
Frames UnitRows(FrameView frames);

// A copy of an index's faiss index that only a test writes to: what faiss itself answers.
class FaissTwin {
 public:
  explicit FaissTwin(const Index& index);
  ~FaissTwin();

  // Sets nprobe and k_factor as fields, as users of faiss do, and searches.
  Neighbors Search(FrameView queries, const SearchParams& params);
  Neighbors SearchAsRead(FrameView queries, int k);  // with the fields that the file has
  void Add(FrameView frames);

 private:
  const Metric metric_;
  std::unique_ptr<faiss::Index> index_;
};

// The exact k nearest of `frames`, in double precision, ties by id.
Neighbors ExactNeighbors(FrameView frames, FrameView queries, Metric metric, int k);

// The share of exact's ids that `found` has, row by row.
double Recall(const Neighbors& found, const Neighbors& exact);

// What two float computations of one distance may differ by: a few roundings of numbers as large as the squared norms.
double DistanceTolerance(FrameView queries, Metric metric);

// Equal padding, distances within `tolerance`, ids equal but where distances tie within it.
void ExpectSameNeighbors(const Neighbors& actual, const Neighbors& expected, double tolerance);

// Every form of index that a test should have seen, trainable on kFormRows rows of kFormDimension values, in all
// metrics.
const std::vector<std::string>& AllForms();
inline constexpr int kFormDimension = 32;
inline constexpr int64_t kFormRows = 300;

// For INSTANTIATE_TEST_SUITE_P over the metrics: "inner_product".
std::string MetricTestName(const ::testing::TestParamInfo<Metric>& info);

#define KITH_EVERY_METRIC(suite)                                                                                       \
  INSTANTIATE_TEST_SUITE_P(EveryMetric, suite, ::testing::Values(Metric::kL2, Metric::kInnerProduct, Metric::kCosine), \
                           MetricTestName)

}  // namespace kith::retrieval
