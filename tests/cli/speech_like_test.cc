#include "client/cli/speech_like.h"

#include <cmath>

#include "gtest/gtest.h"

namespace kith::cli {
namespace {

double Dot(const float* a, const float* b, int dimension) {
  double sum = 0;
  for (int d = 0; d < dimension; ++d) sum += static_cast<double>(a[d]) * b[d];
  return sum;
}

double Cosine(const float* a, const float* b, int dimension) {
  return Dot(a, b, dimension) / std::sqrt(Dot(a, a, dimension) * Dot(b, b, dimension));
}

// The statistics of real ContentVec frames.
TEST(SpeechLikeTest, LooksLikeSpeech) {
  constexpr int kDimension = 768;
  constexpr int64_t kRows = 6000;
  for (const uint64_t seed : {1, 2}) {
    const std::vector<float> values = SpeechLike(kDimension, seed).Next(kRows);
    const auto row = [&](int64_t i) { return values.data() + i * kDimension; };
    double sum = 0;
    double squares = 0;
    for (const float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const double mean = sum / static_cast<double>(values.size());
    EXPECT_NEAR(mean, -0.008, 0.002);
    EXPECT_NEAR(std::sqrt(squares / static_cast<double>(values.size()) - mean * mean), 0.326, 0.01);

    double norms = 0;
    double adjacent = 0;
    double apart = 0;
    for (int64_t i = 0; i + 1 < kRows; ++i) {
      norms += std::sqrt(Dot(row(i), row(i), kDimension));
      adjacent += Cosine(row(i), row(i + 1), kDimension);
      apart += Cosine(row(i), row((i * 2654435761 + 777) % kRows), kDimension);
    }
    EXPECT_NEAR(norms / (kRows - 1), 9.0, 0.3);
    EXPECT_GT(adjacent / (kRows - 1), 0.75);
    EXPECT_LT(adjacent / (kRows - 1), 0.81);
    EXPECT_NEAR(apart / (kRows - 1), 0.10, 0.03);
  }
}

TEST(SpeechLikeTest, TheSameSeedGivesTheSameFramesHoweverTheyAreTaken) {
  SpeechLike at_once(16, 7);
  SpeechLike in_pieces(16, 7);
  const std::vector<float> whole = at_once.Next(50);
  std::vector<float> pieces = in_pieces.Next(13);
  const std::vector<float> rest = in_pieces.Next(37);
  pieces.insert(pieces.end(), rest.begin(), rest.end());
  EXPECT_EQ(whole, pieces);
  EXPECT_NE(whole, SpeechLike(16, 8).Next(50));
}

TEST(SpeechLikeTest, EveryDimensionGivesFiniteValues) {
  for (const int dimension : {1, 2, 256}) {
    for (const float value : SpeechLike(dimension, 1).Next(20)) ASSERT_TRUE(std::isfinite(value));
  }
}

}  // namespace
}  // namespace kith::cli
