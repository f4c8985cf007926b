#include "server/retrieval/kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "server/retrieval/platform.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(KernelsTest, TheLevelThatTheEnvironmentNamesIsTaken) {
  const char* asked = std::getenv("KITH_SIMD");
  if (asked == nullptr) GTEST_SKIP() << "KITH_SIMD is not set";
  if (FindKernels(asked) == nullptr) {
    EXPECT_NE(DescribePlatform().warning.find(asked), std::string::npos) << "nobody is told that it was not taken";
  } else {
    EXPECT_STREQ(BestKernels().name, asked);
  }
}

class KernelsAtLevel : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    kernels_ = FindKernels(GetParam().c_str());
    if (kernels_ == nullptr) GTEST_SKIP() << "this processor has no " << GetParam();
  }
  const Kernels* kernels_ = nullptr;
};

TEST_P(KernelsAtLevel, WeightedSumIsTheSumOfAllRows) {
  for (const int dimension : {1, 3, 16, 100, 768}) {
    for (const int count : {0, 1, 8, 33}) {
      const Frames rows = testing::SpeechLike(count + 1, dimension);
      std::vector<const float*> pointers(count);
      std::vector<float> weights(count);
      std::vector<float> out(dimension, -1.0f);
      for (int i = 0; i < count; ++i) {
        pointers[i] = rows.view().row(i);
        weights[i] = 0.25f * static_cast<float>(i) - 1;
      }
      kernels_->weighted_sum(pointers.data(), weights.data(), count, dimension, out.data());
      for (int j = 0; j < dimension; ++j) {
        double sum = 0;
        double size = 0;
        for (int i = 0; i < count; ++i) {
          sum += static_cast<double>(weights[i]) * pointers[i][j];
          size += std::abs(static_cast<double>(weights[i]) * pointers[i][j]);
        }
        EXPECT_NEAR(out[j], sum, 1e-5 * size) << count << " rows of " << dimension << ", value " << j;
      }
    }
  }
}

// `count` scores, each third of them `every_third`, and behind them what would be found if it were read.
std::vector<float> Scores(int count, float every_third) {
  std::vector<float> scores(count + kMinimaLanes, -kInfinity);
  for (int i = 0; i < count; ++i) scores[i] = i % 3 == 0 ? every_third : static_cast<float>((i * 7919) % 101);
  return scores;
}

TEST_P(KernelsAtLevel, AtMostTellsThePlacesInOrder) {
  for (const int count : {0, 1, 15, 16, 17, 31, 63, 64, 65, 127, 1000}) {
    const std::vector<float> scores = Scores(count, 30);
    for (const float limit : {-1.0f, 0.0f, 1.0f, 50.0f, 101.0f, kInfinity}) {
      std::vector<int32_t> expected;
      for (int i = 0; i < count; ++i) {
        if (scores[i] <= limit) expected.push_back(i);
      }
      std::vector<int32_t> found(scores.size());
      found.resize(kernels_->at_most(scores.data(), count, limit, found.data()));
      EXPECT_EQ(found, expected) << count << " scores, limit " << limit;
    }
  }
}

TEST_P(KernelsAtLevel, MinimaAreTheSmallestOfEachLane) {
  for (const float every_third : {kInfinity, -kInfinity, -5.0f}) {
    for (const int count : {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 1000}) {
      const std::vector<float> scores = Scores(count, every_third);
      std::vector<float> expected(kMinimaLanes, kInfinity);
      for (int i = 0; i < count; ++i) {
        expected[i % kMinimaLanes] = std::min(expected[i % kMinimaLanes], scores[i]);
      }
      std::vector<float> lanes(kMinimaLanes, -1.0f);
      kernels_->minima(scores.data(), count, lanes.data());
      EXPECT_EQ(lanes, expected) << count << " scores, every third is " << every_third;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelsAtLevel, ::testing::Values("baseline", "avx2", "avx512", "vnni"));

}  // namespace
}  // namespace kith::retrieval
