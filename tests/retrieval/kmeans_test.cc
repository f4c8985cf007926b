// MiniBatchKMeans against faiss's k-means over all rows at once; bench/compare_kmeans.py holds it against scikit-learn.
#include "server/retrieval/kmeans.h"

#include <faiss/Clustering.h>

#include <algorithm>
#include <cmath>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

bool GoOn(int64_t, int64_t) { return true; }

Frames MustCompress(const Frames& frames, const Compression& compression, int64_t seed = 1234) {
  absl::StatusOr<Frames> centres = MiniBatchKMeans(frames.view(), compression, seed, GoOn);
  EXPECT_TRUE(centres.ok()) << centres.status();
  return centres.ok() ? *std::move(centres) : Frames();
}

// The sum of the squared distances of all rows to their nearest centre.
double Inertia(FrameView frames, FrameView centres) {
  const Neighbors nearest = ExactNeighbors(centres, frames, Metric::kL2, 1);
  double sum = 0;
  for (const float distance : nearest.distances) sum += distance;
  return sum;
}

// `count` different rows, each `times` times.
Frames Repeated(int64_t count, int64_t times) {
  const Frames rows = SpeechLike(count, 16);
  Frames all{16, {}};
  for (int64_t i = 0; i < times; ++i) all.values.insert(all.values.end(), rows.values.begin(), rows.values.end());
  return all;
}

TEST(KMeansTest, IsAboutAsGoodAsKMeansOverAllRows) {
  const Frames frames = SpeechLike(4000, 32);
  for (const int64_t centres : {20, 100}) {
    std::vector<float> theirs(centres * 32);
    faiss::kmeans_clustering(32, frames.rows(), centres, frames.values.data(), theirs.data());
    const Frames ours = MustCompress(frames, {centres, {}, {}});
    ASSERT_EQ(ours.rows(), centres);
    EXPECT_LT(Inertia(frames.view(), ours.view()), 1.1 * Inertia(frames.view(), {theirs.data(), centres, 32}))
        << centres << " centres";
  }
}

TEST(KMeansTest, TheSeedDecides) {
  const Frames frames = SpeechLike(2000, 16);
  const Frames first = MustCompress(frames, {50, {}, {}}, 7);
  EXPECT_EQ(MustCompress(frames, {50, {}, {}}, 7).values, first.values);
  EXPECT_NE(MustCompress(frames, {50, {}, {}}, 8).values, first.values);
  EXPECT_NE(MustCompress(frames, {50, 100, {}}, 7).values, first.values);
}

TEST(KMeansTest, OneCentreIsAboutTheMean) {
  const Frames frames = SpeechLike(3000, 16);
  Frames mean{16, std::vector<float>(16)};
  for (int64_t i = 0; i < frames.rows(); ++i) {
    for (int j = 0; j < 16; ++j) mean.values[j] += frames.view().row(i)[j] / static_cast<float>(frames.rows());
  }
  EXPECT_LT(Inertia(frames.view(), MustCompress(frames, {1, {}, {}}).view()),
            1.01 * Inertia(frames.view(), mean.view()));
}

TEST(KMeansTest, AsManyCentresAsRowsAreTheRows) {
  const Frames frames = SpeechLike(60, 16);
  const Frames centres = MustCompress(frames, {60, {}, {}});
  EXPECT_NEAR(Inertia(frames.view(), centres.view()), 0, 1e-6);
}

// As many random rows as there are different ones stand on 64 % of them; the other centres would never move, because no
// row comes to them.
TEST(KMeansTest, CentresThatNoRowComesToAreMoved) {
  const Frames frames = Repeated(40, 50);
  int64_t covered = 0;
  for (int64_t seed = 1; seed <= 20; ++seed) {
    const Frames centres = MustCompress(frames, {40, 100, {}}, seed);
    const Neighbors nearest = ExactNeighbors(centres.view(), frames.view().Slice(0, 40), Metric::kL2, 1);
    covered += std::count_if(nearest.distances.begin(), nearest.distances.end(), [](float d) { return d < 1e-6; });
  }
  EXPECT_GT(static_cast<double>(covered) / (20 * 40), 0.70);
}

TEST(KMeansTest, FewerDifferentRowsThanCentresAreAllKeptAndNothingIsNaN) {
  const Frames frames = Repeated(5, 100);
  const Frames centres = MustCompress(frames, {50, {}, {}});
  ASSERT_EQ(centres.rows(), 50);
  for (const float value : centres.values) ASSERT_TRUE(std::isfinite(value));
  EXPECT_NEAR(Inertia(frames.view(), centres.view()), 0, 1e-3);
}

TEST(KMeansTest, RowsOfZerosAndOfGreatNormStayFinite) {
  Frames frames{4, std::vector<float>(400, 0.0f)};
  for (size_t i = 0; i < 200; ++i) frames.values[i] = 4e11f;
  for (const float value : MustCompress(frames, {10, {}, {}}).values) ASSERT_TRUE(std::isfinite(value));
}

TEST(KMeansTest, TellsItsStepsAndEndsBeforeTheLastWhereItIsGoodEnough) {
  const Frames frames = SpeechLike(1000, 16);
  std::vector<int64_t> steps;
  ASSERT_TRUE(MiniBatchKMeans(frames.view(), {10, 100, 50}, 1, [&](int64_t done, int64_t total) {
                EXPECT_EQ(total, 500);  // 50 passes of 10 batches
                steps.push_back(done);
                return true;
              }).ok());
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(steps.front(), 0);
  EXPECT_EQ(steps.back(), 500);
  EXPECT_LT(steps.size(), 400u);
  EXPECT_GT(steps.size(), 10u);
}

TEST(KMeansTest, DoesNoMoreStepsThanAskedFor) {
  const Frames frames = SpeechLike(1000, 16);
  int64_t calls = 0;
  ASSERT_TRUE(MiniBatchKMeans(frames.view(), {300, 100, 1}, 1, [&](int64_t, int64_t total) {
                EXPECT_EQ(total, 10);
                return ++calls > 0;
              }).ok());
  EXPECT_EQ(calls, 12);  // before each of the 10 steps, at the start and at the end
}

TEST(KMeansTest, StopsWhereTheObserverSaysSo) {
  const Frames frames = SpeechLike(1000, 16);
  for (const int64_t allowed : {0, 1, 5}) {
    int64_t calls = 0;
    const auto centres =
        MiniBatchKMeans(frames.view(), {100, {}, {}}, 1, [&](int64_t, int64_t) { return calls++ < allowed; });
    EXPECT_EQ(centres.status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(calls, allowed + 1);
  }
}

}  // namespace
}  // namespace kith::retrieval
