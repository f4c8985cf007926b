// SearchFlatLists against faiss's own scan of the same lists, at every level of the processor.
#include "server/retrieval/list_search.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "server/retrieval/platform.h"
#include "server/retrieval/search.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

constexpr int kLists = 7;
constexpr int64_t kRows = 1000;  // so that a list is of more rows than are compared at once

// Dimension, metric, level of the processor.
class ListSearchTest : public ::testing::TestWithParam<std::tuple<int, Metric, std::string>> {
 protected:
  void SetUp() override {
    kernels_ = FindKernels(std::get<2>(GetParam()).c_str());
    if (kernels_ == nullptr) GTEST_SKIP() << "this processor has no " << std::get<2>(GetParam());
    SetThreadsOfThisThread(1);
    index_.cp.niter = 3;
    index_.cp.min_points_per_centroid = 1;
    index_.train(kRows, frames_.values.data());
    // Many are as near as another, and the one that comes later in their list has the lower id.
    std::vector<int64_t> ids(kRows + kRows / 2);
    std::iota(ids.begin(), ids.end(), 0);
    index_.add_with_ids(kRows, frames_.values.data(), ids.data() + kRows / 2);
    index_.add_with_ids(kRows / 2, frames_.values.data(), ids.data());
  }

  // The lists nearest to each query.
  std::vector<int64_t> Assigned(FrameView queries, int nprobe, std::vector<float>* coarse) const {
    std::vector<int64_t> assigned(queries.rows * nprobe);
    coarse->resize(assigned.size());
    quantizer_.search(queries.rows, queries.data, nprobe, coarse->data(), assigned.data());
    return assigned;
  }

  Neighbors Find(FrameView queries, int nprobe, int k, const std::vector<int64_t>& assigned) const {
    Neighbors found(queries.rows, k);
    SearchFlatLists(*FlatLists::Of(index_), *kernels_, queries.rows, queries.data, nprobe, assigned.data(), k,
                    found.distances.data(), found.ids.data());
    return found;
  }

  Neighbors Find(FrameView queries, int nprobe, int k) const {
    std::vector<float> coarse;
    return Find(queries, nprobe, k, Assigned(queries, nprobe, &coarse));
  }

  const int dimension_ = std::get<0>(GetParam());
  const Metric metric_ = std::get<1>(GetParam());
  const faiss::MetricType faiss_metric_ = metric_ == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
  const Frames frames_ = testing::SpeechLike(kRows, dimension_, 1);
  const Frames queries_ = testing::SpeechLike(1000, dimension_, 2);
  faiss::IndexFlat quantizer_{dimension_, faiss_metric_};
  faiss::IndexIVFFlat index_{&quantizer_, static_cast<size_t>(dimension_), kLists, faiss_metric_};
  const Kernels* kernels_ = nullptr;
};

TEST_P(ListSearchTest, FindsWhatFaissFinds) {
  for (const int64_t rows : {1, 16, 1000}) {  // one query for a list, few, and more than are compared at once
    const FrameView queries = queries_.view().Slice(0, rows);
    for (const int nprobe : {1, 3, kLists}) {
      for (const int k : {1, 8, 300}) {
        SCOPED_TRACE(::testing::Message() << rows << " rows, nprobe " << nprobe << ", k " << k);
        std::vector<float> coarse;
        const std::vector<int64_t> assigned = Assigned(queries, nprobe, &coarse);
        Neighbors expected(rows, k);
        faiss::IVFSearchParameters params;
        params.nprobe = nprobe;
        index_.search_preassigned(rows, queries.data, k, assigned.data(), coarse.data(), expected.distances.data(),
                                  expected.ids.data(), false, &params);
        ExpectSameNeighbors(Find(queries, nprobe, k, assigned), expected, DistanceTolerance(queries, metric_));
      }
    }
  }
}

TEST_P(ListSearchTest, ARowGetsTheSameToTheBitInAnyCompany) {
  const Neighbors together = Find(queries_.view(), 3, 8);
  for (int64_t row = 0; row < queries_.rows(); row += 37) {
    const Neighbors alone = Find(queries_.view().Slice(row, 1), 3, 8);
    EXPECT_TRUE(std::equal(alone.ids.begin(), alone.ids.end(), together.ids.begin() + row * 8)) << row;
    EXPECT_TRUE(std::equal(alone.distances.begin(), alone.distances.end(), together.distances.begin() + row * 8))
        << row;
  }
}

TEST_P(ListSearchTest, OfThoseAsNearAsEachOtherTheLowerIdComesFirst) {
  const Neighbors found = Find(queries_.view(), kLists, 20);
  for (size_t i = 1; i < found.ids.size(); ++i) {
    if (i % 20 == 0 || found.distances[i] != found.distances[i - 1]) continue;
    EXPECT_LT(found.ids[i - 1], found.ids[i]) << "row " << i / 20;
  }
}

TEST_P(ListSearchTest, TheFirstAreTheSameHoweverManyAreAskedFor) {
  constexpr int kAll = kRows + kRows / 2;
  const FrameView queries = queries_.view().Slice(0, 20);
  const Neighbors all = Find(queries, kLists, kAll);
  for (const int k : {1, 8, 9}) {  // where one of two that are as near as each other is left out, too
    const Neighbors found = Find(queries, kLists, k);
    for (int64_t row = 0; row < queries.rows; ++row) {
      EXPECT_TRUE(
          std::equal(found.ids.begin() + row * k, found.ids.begin() + (row + 1) * k, all.ids.begin() + row * kAll))
          << "row " << row << ", k " << k;
    }
  }
}

TEST_P(ListSearchTest, ListsThatThereAreNoneGiveNothing) {
  const std::vector<int64_t> none(32, -1);
  const Neighbors found = Find(queries_.view().Slice(0, 16), 2, 8, none);
  EXPECT_EQ(found.ids, std::vector<int64_t>(128, -1));
}

INSTANTIATE_TEST_SUITE_P(Shapes, ListSearchTest,
                         ::testing::Combine(::testing::Values(1, 7, 64, 257),
                                            ::testing::Values(Metric::kL2, Metric::kInnerProduct),
                                            ::testing::Values("baseline", "avx2", "avx512", "vnni")));

}  // namespace
}  // namespace kith::retrieval
