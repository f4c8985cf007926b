// Blend against its formula in double precision, row by row and through an index.
#include "server/retrieval/blend.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

using Row = std::vector<float>;

struct Blended {
  std::vector<double> values;
  bool passed_through = false;
};

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The formula that blend.h states, in double.
Blended Formula(const Row& query, const std::vector<Row>& neighbor_rows, const BlendParams& params) {
  const std::vector<double> frame(query.begin(), query.end());
  std::vector<std::vector<double>> neighbors;
  neighbors.reserve(neighbor_rows.size() + 1);
  for (const Row& row : neighbor_rows) neighbors.emplace_back(row.begin(), row.end());
  std::vector<double> weights;
  if (params.weighting == Weighting::kInverseSquare) {
    for (const auto& neighbor : neighbors) {
      std::vector<double> difference(frame.size());
      for (size_t j = 0; j < frame.size(); ++j) difference[j] = frame[j] - neighbor[j];
      const double score = Dot(difference, difference);
      if (score == 0) {
        weights.assign(neighbors.size(), 0.0);
        weights[&neighbor - neighbors.data()] = 1;
        break;
      }
      weights.push_back(1 / score / score);
    }
  } else {
    for (const auto& neighbor : neighbors) {
      const double norms = std::sqrt(Dot(frame, frame)) * std::sqrt(Dot(neighbor, neighbor));
      const double cosine = norms > 0 ? Dot(frame, neighbor) / norms : 0;
      weights.push_back(cosine > 0 ? std::pow(cosine, static_cast<double>(params.alpha)) : 0);
    }
    if (params.include_query && !neighbors.empty()) {
      double norms = 0;
      double sum = 0;
      for (size_t i = 0; i < neighbors.size(); ++i) {
        norms += weights[i] * std::sqrt(Dot(neighbors[i], neighbors[i]));
        sum += weights[i];
      }
      neighbors.push_back(frame);
      const double own = std::sqrt(Dot(frame, frame));
      for (double& value : neighbors.back()) value *= sum > 0 ? norms / sum / own : 1;
      weights.push_back(1);
    }
  }
  double sum = 0;
  for (const double weight : weights) sum += weight;
  if (sum == 0) return {frame, true};
  std::vector<double> blended(frame.size(), 0.0);
  for (size_t i = 0; i < neighbors.size(); ++i) {
    for (size_t j = 0; j < frame.size(); ++j) blended[j] += weights[i] / sum * neighbors[i][j];
  }
  if (params.weighting == Weighting::kAlpha) {
    const double scale = (params.unit_norm ? 1 : std::sqrt(Dot(frame, frame))) / std::sqrt(Dot(blended, blended));
    for (double& value : blended) value *= scale;
  }
  for (size_t j = 0; j < frame.size(); ++j)
    blended[j] = params.index_rate * blended[j] + (1.0 - params.index_rate) * frame[j];
  return {blended, false};
}

void ExpectClose(const float* actual, const std::vector<double>& expected) {
  const double typical = std::sqrt(Dot(expected, expected) / static_cast<double>(expected.size()));
  for (size_t j = 0; j < expected.size(); ++j) {
    ASSERT_NEAR(actual[j], expected[j], 1e-5 * std::max(typical, std::abs(expected[j]))) << "value " << j;
  }
}

std::vector<const float*> Pointers(const std::vector<Row>& rows) {
  std::vector<const float*> pointers;
  pointers.reserve(rows.size());
  for (const Row& row : rows) pointers.push_back(row.data());
  return pointers;
}

struct Outcome {
  Row values;
  bool blended;
};

Outcome Apply(const Row& frame, const std::vector<Row>& neighbors, const BlendParams& params) {
  Outcome outcome{Row(frame.size(), -77.0f), false};
  outcome.blended = Blend(frame, Pointers(neighbors), params, outcome.values.data());
  return outcome;
}

void ExpectFormula(const Row& frame, const std::vector<Row>& neighbors, const BlendParams& params) {
  const Outcome actual = Apply(frame, neighbors, params);
  const Blended expected = Formula(frame, neighbors, params);
  EXPECT_EQ(actual.blended, !expected.passed_through);
  ExpectClose(actual.values.data(), expected.values);
}

std::vector<BlendParams> ManyParams() {
  std::vector<BlendParams> all;
  for (const float index_rate : {0.0f, 0.5f, 1.0f}) {
    all.push_back({Weighting::kInverseSquare, 3, index_rate, false, false});
    for (const float alpha : {0.0f, 1.0f, 2.5f, 3.0f}) {
      for (const bool include_query : {false, true}) {
        for (const bool unit_norm : {false, true}) {
          all.push_back({Weighting::kAlpha, alpha, index_rate, include_query, unit_norm});
        }
      }
    }
  }
  return all;
}

std::string Describe(const BlendParams& params) {
  return ::testing::PrintToString(static_cast<int>(params.weighting)) + " alpha " + std::to_string(params.alpha) +
         " index_rate " + std::to_string(params.index_rate) + " include_query " + std::to_string(params.include_query) +
         " unit_norm " + std::to_string(params.unit_norm);
}

const BlendParams kAlphaDefault{Weighting::kAlpha, 3, 1, false, false};

// --- through an index: search, then blend ---

class BlendThroughIndex : public ::testing::TestWithParam<Metric> {};

TEST_P(BlendThroughIndex, EqualsTheFormulaFromTheExactNeighbours) {
  const Frames frames = SpeechLike(500, 64);
  Frames queries = SpeechLike(30, 64, 2);
  for (float& value : queries.values) value *= 1.7f;  // another scale than the stored rows
  const auto index = MustBuild(RecipeOf("Flat", GetParam()), frames);
  const Neighbors found = MustSearch(*index, queries.view());
  const Neighbors exact = ExactNeighbors(frames.view(), queries.view(), GetParam(), 8);
  ASSERT_EQ(found.ids, exact.ids);
  for (const BlendParams& params : ManyParams()) {
    SCOPED_TRACE(Describe(params));
    std::vector<float> out(queries.values.size());
    int64_t passed_through = 0;
    std::vector<Blended> expected;
    for (int64_t i = 0; i < queries.rows(); ++i) {
      std::vector<Row> neighbors;
      for (int j = 0; j < 8; ++j) {
        const float* row = frames.view().row(exact.ids[i * 8 + j]);
        neighbors.emplace_back(row, row + 64);
      }
      const float* query = queries.view().row(i);
      expected.push_back(Formula({query, query + 64}, neighbors, params));
      passed_through += expected.back().passed_through ? 1 : 0;
    }
    EXPECT_EQ(index->Blend(queries.view(), found, params, out.data()), passed_through);
    for (int64_t i = 0; i < queries.rows(); ++i) ExpectClose(out.data() + i * 64, expected[i].values);
  }
}

TEST_P(BlendThroughIndex, LeavesOutNeighboursThatAreNone) {
  const Frames frames = SpeechLike(3, 32);
  const Frames queries = SpeechLike(10, 32, 2);
  const auto index = MustBuild(RecipeOf("auto", GetParam()), frames);
  const Neighbors found = MustSearch(*index, queries.view());
  std::vector<float> out(queries.values.size());
  EXPECT_EQ(index->Blend(queries.view(), found, {}, out.data()), 0);
  for (int64_t i = 0; i < queries.rows(); ++i) {
    std::vector<Row> all;
    for (int64_t id = 0; id < 3; ++id) all.emplace_back(frames.view().row(id), frames.view().row(id) + 32);
    const float* query = queries.view().row(i);
    ExpectClose(out.data() + i * 32, Formula({query, query + 32}, all, {}).values);
  }
}

KITH_EVERY_METRIC(BlendThroughIndex);

TEST(BlendIndexTest, AStoredRowComesBackAsItIsWhateverItsNorm) {
  Frames frames = SpeechLike(200, 32);
  for (float& value : frames.values) value *= 5;
  for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
    const auto index = MustBuild(RecipeOf("Flat", metric), frames);
    std::vector<float> out(frames.values.size());
    EXPECT_EQ(index->Blend(frames.view(), MustSearch(*index, frames.view()), {}, out.data()), 0);
    EXPECT_EQ(out, frames.values);
  }
}

TEST(BlendIndexTest, TheDistancesOfASearchMakeTheSameAsThoseComputedAnew) {
  for (const char* const recipe : {"auto", "rvc"}) {
    for (const float scale : {1.0f, 1e-16f, 1e10f}) {  // squares in the range of a float, below it, and near its end
      Frames frames = SpeechLike(2000, 64);
      Frames queries = SpeechLike(40, 64, 2);
      std::copy_n(frames.values.begin(), 2 * 64, queries.values.begin());  // stored ones too
      for (float& value : frames.values) value *= scale;
      for (float& value : queries.values) value *= scale;
      const auto index = MustBuild(RecipeOf(recipe), frames);
      const Neighbors found = MustSearch(*index, queries.view());
      std::vector<float> out(queries.values.size());
      EXPECT_EQ(index->Blend(queries.view(), found, {}, out.data()), 0);
      for (int64_t i = 0; i < queries.rows(); ++i) {
        std::vector<const float*> neighbors;
        for (int j = 0; j < 8; ++j) {
          if (found.ids[i * 8 + j] >= 0) neighbors.push_back(frames.view().row(found.ids[i * 8 + j]));
        }
        Row anew(64);
        Blend({queries.view().row(i), 64}, neighbors, {}, anew.data());
        EXPECT_EQ(Row(out.begin() + i * 64, out.begin() + (i + 1) * 64), anew) << recipe << " " << scale << " " << i;
      }
    }
  }
}

TEST(BlendIndexTest, RowsWithoutNeighboursPassThroughAndAreCounted) {
  const Frames frames = SpeechLike(50, 16);
  const Frames queries = SpeechLike(4, 16, 2);
  const auto index = MustBuild(RecipeOf("Flat"), frames);
  Neighbors found = MustSearch(*index, queries.view());
  std::fill_n(found.ids.begin() + 8, 8, -1);
  std::fill_n(found.ids.begin() + 24, 8, -1);
  std::vector<float> out(queries.values.size());
  EXPECT_EQ(index->Blend(queries.view(), found, {}, out.data()), 2);
  for (const int64_t i : {1, 3})
    EXPECT_TRUE(std::equal(out.begin() + i * 16, out.begin() + (i + 1) * 16, queries.view().row(i)));
  EXPECT_FALSE(std::equal(out.begin(), out.begin() + 16, queries.view().row(0)));
}

TEST(BlendIndexTest, AQueryTooLargeForDistancesPassesThrough) {
  const auto index = MustBuild(RecipeOf("rvc"), SpeechLike(200, 16));
  Frames queries = SpeechLike(3, 16, 2);
  std::fill_n(queries.values.begin() + 16, 16, 1e30f);
  std::vector<float> out(queries.values.size());
  EXPECT_EQ(index->Blend(queries.view(), MustSearch(*index, queries.view()), {}, out.data()), 1);
  EXPECT_EQ(Row(out.begin() + 16, out.begin() + 32), Row(16, 1e30f));
}

// --- one row ---

TEST(BlendTest, AnEqualNeighbourIsTakenBitForBit) {
  const Row frame{0.1f, -0.2f, 0.3f, 1e-20f};
  const Row other{0.1f, -0.2f, 0.3f, 5.0f};
  for (const std::vector<Row>& neighbors : std::vector<std::vector<Row>>{
           {frame}, {frame, other}, {other, frame}, {other, frame, frame, other}, {frame, frame, frame}}) {
    EXPECT_EQ(Apply(frame, neighbors, {}).values, frame);
    EXPECT_TRUE(Apply(frame, neighbors, {}).blended);
  }
}

TEST(BlendTest, EqualNeighboursShareTheirWeight) {
  const Row frame{1, 0};
  const std::vector<Row> neighbors{{0, 0}, {0, 0}, {0, 0}, {1, 2}};
  for (const BlendParams& params : ManyParams()) {
    SCOPED_TRACE(Describe(params));
    ExpectFormula(frame, neighbors, params);
  }
}

TEST(BlendTest, NoNeighboursPassThrough) {
  const Row frame{1, 2, 3};
  for (const BlendParams& params : ManyParams()) {
    const Outcome outcome = Apply(frame, {}, params);
    EXPECT_FALSE(outcome.blended);
    EXPECT_EQ(outcome.values, frame);
  }
}

TEST(BlendTest, ANearNeighbourOutweighsFarOnesByTheFourthPower) {
  // Distances 1 and 2 from the frame: weights 16 : 1.
  EXPECT_NEAR(Apply({0}, {{1}, {-2}}, {}).values[0], (16.0 * 1 - 2) / 17, 1e-6);
}

TEST(BlendTest, AlmostEqualRowsDoNotOverflow) {
  const Row frame{1, 1};
  for (const float gap : {1e-7f, 1e-4f}) {
    const std::vector<Row> neighbors{{1 + gap, 1}, {1, 1 - 2 * gap}, {3, 3}};
    ExpectFormula(frame, neighbors, {});
  }
}

TEST(BlendTest, HugeValuesStayFinite) {
  const Row frame{1e30f, -2e30f, 3e30f, 0};
  const std::vector<Row> neighbors{{2e30f, -1e30f, 3e30f, 1e29f}, {1e30f, 1e30f, 1e30f, 1e30f}, {1, 2, 3, 4}};
  for (const BlendParams& params : ManyParams()) {
    SCOPED_TRACE(Describe(params));
    ExpectFormula(frame, neighbors, params);
    ExpectFormula({1, 2, 3, 4}, neighbors, params);
    ExpectFormula(frame, {{1e-10f, -1e-10f, 1e-10f, 1e-10f}}, params);
  }
}

TEST(BlendTest, TinyValuesKeepTheirMeaning) {
  // Squares below float's smallest number: neither an exact match nor without direction.
  const Row frame{1e-25f, 2e-25f, 3e-25f};
  const std::vector<Row> neighbors{{2e-25f, 2e-25f, 3e-25f}, {1e-25f, 4e-25f, 3e-25f}};
  for (const BlendParams& params : ManyParams()) {
    SCOPED_TRACE(Describe(params));
    ExpectFormula(frame, neighbors, params);
  }
  ExpectFormula({1e-36f, 0}, {{1, 0}, {0, 1}}, kAlphaDefault);
}

TEST(BlendTest, DenormalRowsScaledToNormOneStayFinite) {
  const Row frame{1e-40f, 1e-40f};
  const Outcome outcome = Apply(frame, {{2e-40f, 2e-40f}}, {Weighting::kAlpha, 3, 1, false, true});
  EXPECT_TRUE(outcome.blended);
  EXPECT_NEAR(outcome.values[0], std::sqrt(0.5), 1e-4);
}

TEST(BlendTest, AQueryOfZeros) {
  const Row zero{0, 0, 0};
  const std::vector<Row> neighbors{{1, 2, 3}, {3, 2, 1}};
  ExpectFormula(zero, neighbors, {});                             // the distances are fine
  const Outcome outcome = Apply(zero, neighbors, kAlphaDefault);  // no cosines
  EXPECT_FALSE(outcome.blended);
  EXPECT_EQ(outcome.values, zero);
  EXPECT_EQ(Apply(zero, {zero, {1, 1, 1}}, {}).values, zero);
}

TEST(BlendTest, NeighboursOfZerosHaveNoCosine) {
  const Outcome outcome = Apply({1, 2}, {{0, 0}}, kAlphaDefault);
  EXPECT_FALSE(outcome.blended);
  EXPECT_EQ(outcome.values, (Row{1, 2}));
  EXPECT_EQ(Apply({1, 0}, {{0, 0}, {5, 0}}, kAlphaDefault).values, (Row{1, 0}));
}

TEST(BlendTest, NegativeCosinesHaveNoWeight) {
  const Row frame{1, 0};
  const std::vector<Row> behind{{-1, 0.5f}, {-2, -1}};
  for (const float alpha : {0.0f, 0.5f, 1.0f, 2.5f, 3.0f}) {
    const BlendParams params{Weighting::kAlpha, alpha, 1, false, false};
    EXPECT_FALSE(Apply(frame, behind, params).blended);
    EXPECT_EQ(Apply(frame, behind, params).values, frame);
    const BlendParams with_query{Weighting::kAlpha, alpha, 1, true, false};
    EXPECT_TRUE(Apply(frame, behind, with_query).blended);
    EXPECT_EQ(Apply(frame, behind, with_query).values, frame);
    ExpectFormula(frame, {{-1, 0.5f}, {1, 1}}, params);
  }
}

TEST(BlendTest, AlphaZeroIsTheMeanOfTheNeighboursOnTheFramesSide) {
  const auto expect_direction = [](const Row& actual, double x, double y) {
    EXPECT_NEAR(actual[0], x / std::hypot(x, y), 1e-6);
    EXPECT_NEAR(actual[1], y / std::hypot(x, y), 1e-6);
  };
  const std::vector<Row> neighbors{{4, 1}, {1, 1}, {0.5f, 3}, {-2, -1}};
  const Row frame{3, 4};
  expect_direction(Apply(frame, neighbors, {Weighting::kAlpha, 0, 1, false, true}).values, 5.5, 5);
  // With the frame itself, at the three neighbours' mean norm.
  const double mean_norm = (std::sqrt(17.0) + std::sqrt(2.0) + std::sqrt(9.25)) / 3;
  expect_direction(Apply(frame, neighbors, {Weighting::kAlpha, 0, 1, true, true}).values, 5.5 + 0.6 * mean_norm,
                   5 + 0.8 * mean_norm);
}

TEST(BlendTest, AScaledQueryGivesTheSameDirection) {
  const std::vector<Row> neighbors{{4, 1, 0}, {1, 1, 2}, {0.5f, 3, 1}};
  for (const bool include_query : {false, true}) {
    for (const float alpha : {0.0f, 1.0f, 3.0f, 10.0f}) {
      const Row expected = Apply({3, 4, 1}, neighbors, {Weighting::kAlpha, alpha, 1, include_query, true}).values;
      for (const float factor : {1e-6f, 0.3f, 20.0f, 1e6f}) {
        const Row scaled{3 * factor, 4 * factor, 1 * factor};
        const Row unit = Apply(scaled, neighbors, {Weighting::kAlpha, alpha, 1, include_query, true}).values;
        const Row own = Apply(scaled, neighbors, {Weighting::kAlpha, alpha, 1, include_query, false}).values;
        const double norm = std::sqrt(26.0) * factor;
        for (size_t j = 0; j < expected.size(); ++j) {
          EXPECT_NEAR(unit[j], expected[j], 1e-6);
          EXPECT_NEAR(own[j] / norm, expected[j], 1e-6);
        }
      }
    }
  }
}

// "The query itself with weight 1": among rows of one norm, as in the literature, it is as if it were a neighbour more,
// whose cosine with itself is 1.
TEST(BlendTest, IncludingTheQueryIsOneNeighbourMore) {
  const Row frame{0.6f, 0.8f, 0};
  const std::vector<Row> neighbors{{1, 0, 0}, {0, 0.8f, 0.6f}, {0.8f, 0, -0.6f}};
  std::vector<Row> with_query = neighbors;
  with_query.push_back(frame);
  for (const float alpha : {0.0f, 0.5f, 3.0f}) {
    const Row included = Apply(frame, neighbors, {Weighting::kAlpha, alpha, 1, true, false}).values;
    const Row listed = Apply(frame, with_query, {Weighting::kAlpha, alpha, 1, false, false}).values;
    for (size_t j = 0; j < frame.size(); ++j) EXPECT_NEAR(included[j], listed[j], 1e-5);
  }
}

TEST(BlendTest, ALargeAlphaLeavesTheBestNeighbour) {
  const BlendParams params{Weighting::kAlpha, 1e6f, 1, false, false};
  const Outcome outcome = Apply({1, 0}, {{1, 1}, {1, 2}, {2, 2}}, params);
  EXPECT_TRUE(outcome.blended);
  EXPECT_NEAR(outcome.values[0], std::sqrt(0.5), 1e-5);
  EXPECT_NEAR(outcome.values[1], std::sqrt(0.5), 1e-5);
}

TEST(BlendTest, AlphaKeepsTheQuerysNormOrMakesItOne) {
  const auto norm = [](const Row& row) { return std::sqrt(row[0] * row[0] + row[1] * row[1]); };
  EXPECT_NEAR(norm(Apply({3, 4}, {{7, 1}, {2, 9}}, kAlphaDefault).values), 5, 1e-5);
  EXPECT_NEAR(norm(Apply({3, 4}, {{7, 1}, {2, 9}}, {Weighting::kAlpha, 3, 1, false, true}).values), 1, 1e-6);
}

TEST(BlendTest, IndexRateZeroGivesTheFrameBack) {
  const Row frame{0.1f, 0.7f};
  for (const Weighting weighting : {Weighting::kInverseSquare, Weighting::kAlpha}) {
    const Outcome outcome = Apply(frame, {{1, 1}}, {weighting, 3, 0, false, false});
    EXPECT_TRUE(outcome.blended);
    EXPECT_EQ(outcome.values, frame);
  }
}

TEST(CheckBlendTest, NamesTheFieldThatIsOutOfRange) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto expect_refused = [](const BlendParams& params, const char* field) {
    const absl::Status status = CheckBlend(params);
    EXPECT_EQ(ReasonOf(status), "BAD_PARAMETER");
    EXPECT_NE(status.message().find(field), std::string::npos) << status;
  };
  for (const float bad : {-0.1f, 1.1f, nan, infinity})
    expect_refused({Weighting::kAlpha, 3, bad, false, false}, "index_rate");
  for (const float bad : {-1.0f, nan, infinity}) expect_refused({Weighting::kAlpha, bad, 1, false, false}, "alpha");
  expect_refused({Weighting::kInverseSquare, 3, 1, true, false}, "include_query");
  expect_refused({Weighting::kInverseSquare, 3, 1, false, true}, "unit_norm");
  for (const BlendParams& params : ManyParams()) EXPECT_TRUE(CheckBlend(params).ok());
}

}  // namespace
}  // namespace kith::retrieval
