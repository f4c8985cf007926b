#include "server/retrieval/centroids.h"

#include <faiss/IndexFlat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>

#include "server/retrieval/kernels/kernels.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

// Number of lists, dimension, metric, level of the processor.
class CentroidsTest : public ::testing::TestWithParam<std::tuple<int, int, Metric, std::string>> {
 protected:
  void SetUp() override {
    const Kernels* kernels = FindKernels(std::get<3>(GetParam()).c_str());
    if (kernels == nullptr) GTEST_SKIP() << "this processor has no " << std::get<3>(GetParam());
    packed_ = MakeCentroids(centroids_.values.data(), nlist_, dimension_, metric_, *kernels);
  }

  const int nlist_ = std::get<0>(GetParam());
  const int dimension_ = std::get<1>(GetParam());
  const Metric metric_ = std::get<2>(GetParam());
  const Frames centroids_ = kith::testing::SpeechLike(nlist_, dimension_, 1);
  const Frames queries_ = kith::testing::SpeechLike(101, dimension_, 2);
  std::unique_ptr<const Centroids> packed_;
};

TEST_P(CentroidsTest, FindsTheListsThatFaissFinds) {
  faiss::IndexFlat flat(dimension_, metric_ == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT);
  flat.add(nlist_, centroids_.values.data());
  for (const int nprobe : {1, std::min(5, nlist_), nlist_}) {
    std::vector<int64_t> ids(queries_.rows() * nprobe);
    std::vector<int64_t> expected_ids(ids.size());
    std::vector<float> distances(ids.size());
    std::vector<float> expected(ids.size());
    packed_->Nearest(queries_.rows(), queries_.values.data(), nprobe, ids.data(), distances.data());
    flat.search(queries_.rows(), queries_.values.data(), nprobe, expected.data(), expected_ids.data());
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_NEAR(distances[i], expected[i], 1e-4 * (1 + std::abs(expected[i])));
      // Where the ids differ two centroids are as near as each other, within rounding.
      if (ids[i] == expected_ids[i]) continue;
      const size_t row = i / nprobe * nprobe;
      const auto same = std::find(expected_ids.begin() + row, expected_ids.begin() + row + nprobe, ids[i]);
      ASSERT_NE(same, expected_ids.begin() + row + nprobe) << "list " << ids[i] << " is not among the nearest";
      EXPECT_NEAR(expected[same - expected_ids.begin()], expected[i], 1e-4 * (1 + std::abs(expected[i])));
    }
  }
}

TEST_P(CentroidsTest, ARowGetsTheSameToTheBitInAnyCompany) {
  const int nprobe = std::min(5, nlist_);
  std::vector<int64_t> ids(queries_.rows() * nprobe);
  std::vector<float> distances(ids.size());
  packed_->Nearest(queries_.rows(), queries_.values.data(), nprobe, ids.data(), distances.data());
  for (int64_t row = 0; row < queries_.rows(); ++row) {
    std::vector<int64_t> alone_ids(nprobe);
    std::vector<float> alone(nprobe);
    packed_->Nearest(1, queries_.view().row(row), nprobe, alone_ids.data(), alone.data());
    EXPECT_TRUE(std::equal(alone_ids.begin(), alone_ids.end(), ids.begin() + row * nprobe)) << row;
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), distances.begin() + row * nprobe)) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, CentroidsTest,
                         ::testing::Combine(::testing::Values(1, 15, 33, 100), ::testing::Values(1, 7, 64, 257),
                                            ::testing::Values(Metric::kL2, Metric::kInnerProduct),
                                            ::testing::Values("baseline", "avx2", "avx512", "vnni")));

}  // namespace
}  // namespace kith::retrieval
