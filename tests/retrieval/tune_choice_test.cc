#include "server/retrieval/tune_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace kith::retrieval {
namespace {

using ::testing::ElementsAre;

// Small whole numbers, so that there are many ties.
std::vector<TuneCandidate> RandomCandidates(uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TuneCandidate> candidates(12);
  for (TuneCandidate& candidate : candidates) {
    candidate.recall_at_8 = static_cast<double>(random() % 4) / 4;
    candidate.blend_cosine = static_cast<double>(random() % 3) / 3;
    candidate.microseconds_per_row = static_cast<double>(random() % 4);
    candidate.bytes = static_cast<int64_t>(random() % 3);
    if (random() % 3 == 0) candidate.recipe.compression = Compression{1, std::nullopt, std::nullopt};
    if (random() % 3 == 0) candidate.recipe.expansion = Expansion{2, 3, false};
  }
  return candidates;
}

TEST(TuneChoiceTest, TheFrontIsWhatNothingBeats) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    auto candidates = RandomCandidates(seed);
    MarkParetoFront(&candidates);
    for (const TuneCandidate& a : candidates) {
      bool beaten = false;
      for (const TuneCandidate& b : candidates) {
        const std::vector<double> gains = {b.recall_at_8 - a.recall_at_8, b.blend_cosine - a.blend_cosine,
                                           a.microseconds_per_row - b.microseconds_per_row,
                                           static_cast<double>(a.bytes - b.bytes)};
        beaten |=
            *std::min_element(gains.begin(), gains.end()) >= 0 && *std::max_element(gains.begin(), gains.end()) > 0;
      }
      EXPECT_EQ(a.pareto, !beaten) << seed;
    }
  }
}

TEST(TuneChoiceTest, TheFastestThatKeepsTheFramesAndIsGoodEnough) {
  std::vector<TuneCandidate> candidates(5);
  const double recalls[] = {0.5, 1, 0.96, 1, 0.97};
  for (int i = 0; i < 5; ++i) {
    candidates[i].recall_at_8 = recalls[i];
    candidates[i].microseconds_per_row = i + 1;
  }
  candidates[1].recipe.compression = Compression{10, std::nullopt, std::nullopt};
  const auto chosen = [&](double target) {
    MarkChosen(target, &candidates);
    std::vector<int> marked;
    for (int i = 0; i < 5; ++i) {
      if (candidates[i].chosen) marked.push_back(i);
    }
    return marked;
  };
  EXPECT_THAT(chosen(0.4), ElementsAre(0));
  EXPECT_THAT(chosen(0.95), ElementsAre(2));
  EXPECT_THAT(chosen(0.98), ElementsAre(3));
  candidates[3].recipe.expansion = Expansion{8, 3, false};
  EXPECT_THAT(chosen(0.98), ElementsAre(4));  // none reaches it: the best
}

}  // namespace
}  // namespace kith::retrieval
