// ExpandFrames against the formula of the faiss tips in double precision over brute-force neighbours.
#include "server/retrieval/expansion.h"

#include <algorithm>
#include <cmath>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

bool GoOn(int64_t, int64_t) { return true; }

Frames MustExpand(const Frames& frames, const Expansion& expansion) {
  absl::StatusOr<Frames> expanded = ExpandFrames(frames.view(), expansion, GoOn);
  EXPECT_TRUE(expanded.ok()) << expanded.status();
  return expanded.ok() ? *std::move(expanded) : Frames();
}

double Norm(const double* row, int dimension) {
  double squared = 0;
  for (int j = 0; j < dimension; ++j) squared += row[j] * row[j];
  return std::sqrt(squared);
}

// What the tips do with numpy: original_norm = max(norm, 1e-9); frames /= original_norm; search itself;
// einsum(neighbours, cosine ** alpha); frames /= max(norm, 1e-9). Cosines that are not positive weigh 0 here.
std::vector<double> Reference(const Frames& frames, const Expansion& expansion) {
  const int dimension = frames.dimension;
  const int neighbors = expansion.neighbors;
  const Neighbors nearest = ExactNeighbors(frames.view(), frames.view(), Metric::kCosine, neighbors);
  std::vector<double> unit(frames.values.begin(), frames.values.end());
  std::vector<double> norms(frames.rows());
  for (int64_t i = 0; i < frames.rows(); ++i) {
    norms[i] = Norm(&unit[i * dimension], dimension);
    for (int j = 0; j < dimension; ++j) unit[i * dimension + j] /= std::max(1e-9, norms[i]);
  }
  std::vector<double> result(unit.size(), 0.0);
  for (int64_t i = 0; i < frames.rows(); ++i) {
    double* out = &result[i * dimension];
    for (int n = 0; n < neighbors; ++n) {
      const double cosine = nearest.distances[i * neighbors + n];
      const double weight = cosine > 0 ? std::pow(cosine, static_cast<double>(expansion.alpha)) : 0;
      for (int j = 0; j < dimension; ++j) out[j] += weight * unit[nearest.ids[i * neighbors + n] * dimension + j];
    }
    const double scale = (expansion.unit_norm ? 1 : norms[i]) / std::max(1e-9, Norm(out, dimension));
    for (int j = 0; j < dimension; ++j) out[j] *= scale;
  }
  return result;
}

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << "value " << i;
}

std::vector<double> AsDoubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

TEST(ExpansionTest, EqualsTheTips) {
  const Frames frames = SpeechLike(300, 24);
  for (const float alpha : {0.0f, 0.5f, 3.0f, 7.25f}) {
    for (const int neighbors : {1, 2, 10, 300}) {
      for (const bool unit_norm : {false, true}) {
        const Expansion expansion{neighbors, alpha, unit_norm};
        SCOPED_TRACE(::testing::Message() << "alpha " << alpha << ", " << neighbors << ", unit_norm " << unit_norm);
        ExpectNear(MustExpand(frames, expansion).values, Reference(frames, expansion), 1e-5);
      }
    }
  }
}

TEST(ExpansionTest, EqualsTheTipsOverSeveralBatches) {
  const Frames frames = SpeechLike(1300, 16);
  for (const int neighbors : {8, 1000}) {  // the second makes a batch of fewer rows for its many neighbours
    const Expansion expansion{neighbors, 3, false};
    ExpectNear(MustExpand(frames, expansion).values, Reference(frames, expansion), 1e-5);
  }
}

TEST(ExpansionTest, EqualsTheTipsOnRealFrames) {
  auto real = testing::RealFrames("voice-a/3_feature768");
  KITH_SKIP_WITHOUT(real);
  real->values.resize(768 * 700);
  const Expansion expansion{8, 3, false};
  ExpectNear(MustExpand(*real, expansion).values, Reference(*real, expansion), 1e-4);
}

TEST(ExpansionTest, AlphaZeroIsTheMeanOfTheUnitRows) {
  // All cosines are positive, and all rows are everybody's neighbours.
  const Frames frames{2, {3, 0, 2, 2, 0, 5}};
  const double root = std::sqrt(0.5);
  const std::vector<float> expanded = MustExpand({2, {3, 1, 2, 2, 1, 5}}, {3, 0, true}).values;
  std::vector<double> mean(2);
  for (const auto& [x, y] : {std::pair{3.0, 1.0}, {2.0, 2.0}, {1.0, 5.0}}) {
    mean[0] += x / std::hypot(x, y);
    mean[1] += y / std::hypot(x, y);
  }
  const double length = std::hypot(mean[0], mean[1]);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(expanded[2 * i], mean[0] / length, 1e-6);
    EXPECT_NEAR(expanded[2 * i + 1], mean[1] / length, 1e-6);
  }
  // Rows at right angles do not count: {3, 0} and {0, 5}.
  const std::vector<float> split = MustExpand(frames, {3, 0, true}).values;
  EXPECT_NEAR(split[0], (1 + root) / std::hypot(1 + root, root), 1e-6);
  EXPECT_NEAR(split[1], root / std::hypot(1 + root, root), 1e-6);
}

TEST(ExpansionTest, ALargeAlphaOrASingleNeighbourLeavesTheRows) {
  const Frames frames = SpeechLike(200, 24);
  ExpectNear(MustExpand(frames, {8, 1e6f, false}).values, AsDoubles(frames.values), 1e-5);
  ExpectNear(MustExpand(frames, {1, 3, false}).values, AsDoubles(frames.values), 1e-5);
  ExpectNear(MustExpand(frames, {1, 3, true}).values, AsDoubles(UnitRows(frames.view()).values), 1e-6);
}

TEST(ExpansionTest, EachRowKeepsItsOwnNormUnlessUnitNormIsAskedFor) {
  Frames frames = SpeechLike(200, 24);
  for (int64_t i = 0; i < frames.rows(); ++i) {
    for (int j = 0; j < 24; ++j) frames.values[i * 24 + j] *= static_cast<float>(1 + i % 7);
  }
  const auto norms = [](const Frames& rows) {
    std::vector<double> all;
    const std::vector<double> values = AsDoubles(rows.values);
    for (int64_t i = 0; i < rows.rows(); ++i) all.push_back(Norm(&values[i * 24], 24));
    return all;
  };
  const std::vector<double> before = norms(frames);
  const std::vector<double> after = norms(MustExpand(frames, {8, 3, false}));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-5 * before[i]);
  for (const double norm : norms(MustExpand(frames, {8, 3, true}))) EXPECT_NEAR(norm, 1, 1e-6);
}

TEST(ExpansionTest, ScaledRowsGiveTheScaledResult) {
  const Frames frames = SpeechLike(200, 24);
  const std::vector<double> expected = AsDoubles(MustExpand(frames, {8, 3, false}).values);
  const std::vector<double> directions = AsDoubles(MustExpand(frames, {8, 3, true}).values);
  for (const double factor : {1e-4, 0.3, 17.0, 1e10}) {
    Frames scaled = frames;
    for (float& value : scaled.values) value = static_cast<float>(value * factor);
    Frames expanded = MustExpand(scaled, {8, 3, false});
    for (float& value : expanded.values) value = static_cast<float>(value / factor);
    ExpectNear(expanded.values, expected, 1e-5);
    ExpectNear(MustExpand(scaled, {8, 3, true}).values, directions, 1e-5);
  }
}

TEST(ExpansionTest, RowsOfZerosStaySoAndDisturbNobody) {
  const Frames with_zeros{2, {1, 2, 0, 0, 2, 1, 0, 0}};
  const Frames without{2, {1, 2, 2, 1}};
  for (const bool unit_norm : {false, true}) {
    for (const float alpha : {0.0f, 0.5f, 3.0f}) {
      const std::vector<float> expanded = MustExpand(with_zeros, {4, alpha, unit_norm}).values;
      const std::vector<float> expected = MustExpand(without, {2, alpha, unit_norm}).values;
      ExpectNear(expanded, {expected[0], expected[1], 0, 0, expected[2], expected[3], 0, 0}, 1e-6);
    }
  }
}

TEST(ExpansionTest, ANegativeCosineHasNoWeight) {
  const Frames frames{2, {1, 0, -1, 0.5f, -3, -1}};
  for (const float alpha : {0.0f, 0.5f, 1.0f, 2.5f, 3.0f}) {
    const std::vector<float> expanded = MustExpand(frames, {3, alpha, false}).values;
    EXPECT_NEAR(expanded[0], 1, 1e-6);
    EXPECT_NEAR(expanded[1], 0, 1e-6);
  }
}

TEST(ExpansionTest, TellsItsRowsAndStopsWhereTheObserverSaysSo) {
  const Frames frames = SpeechLike(1500, 8);
  std::vector<int64_t> told;
  ASSERT_TRUE(ExpandFrames(frames.view(), {4, 3, false}, [&](int64_t done, int64_t total) {
                EXPECT_EQ(total, 1500);
                told.push_back(done);
                return true;
              }).ok());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.front(), 0);
  EXPECT_EQ(told.back(), 1500);
  const auto stopped = ExpandFrames(frames.view(), {4, 3, false}, [&](int64_t done, int64_t) { return done == 0; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kith::retrieval
