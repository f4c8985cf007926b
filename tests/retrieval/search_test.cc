// Index::Search against faiss itself and against brute force.
#include <faiss/utils/distances.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <random>
#include <thread>

#include "server/base/status.h"
#include "server/retrieval/index.h"
#include "server/retrieval/platform.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

// All per-call parameters worth trying on this index.
std::vector<SearchOptions> ManyOptions(const Index& index) {
  std::vector<SearchOptions> all;
  for (const int k : {1, 8, static_cast<int>(index.rows()) + 5}) {
    all.push_back({k, {}, {}});
    if (index.report().nlist > 0) {
      for (const int nprobe : {1, 3, 1000}) all.push_back({k, nprobe, {}});
    }
    if (index.report().k_factor > 0) {
      for (const float k_factor : {1.0f, 2.5f, 10.0f}) all.push_back({k, {}, k_factor});
    }
  }
  return all;
}

// Neighbours that there are none have other distances in some forms of faiss.
Neighbors WithWorstDistances(Neighbors neighbors, Metric metric) {
  const float worst = metric == Metric::kL2 ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest();
  for (size_t i = 0; i < neighbors.ids.size(); ++i) {
    if (neighbors.ids[i] < 0) neighbors.distances[i] = worst;
  }
  return neighbors;
}

Neighbors RowsOf(const Neighbors& all, int64_t first, int64_t count) {
  Neighbors part(count, all.k);
  std::copy_n(all.ids.begin() + first * all.k, count * all.k, part.ids.begin());
  std::copy_n(all.distances.begin() + first * all.k, count * all.k, part.distances.begin());
  return part;
}

class EveryForm : public ::testing::TestWithParam<Metric> {
 protected:
  const Frames frames_ = SpeechLike(kFormRows, kFormDimension);
};

TEST_P(EveryForm, AnswersAsFaissDoes) {
  const Frames queries = SpeechLike(25, kFormDimension, 2);
  for (const std::string& form : AllForms()) {
    const auto index = MustBuild(RecipeOf(form, GetParam()), frames_);
    FaissTwin faiss(*index);
    for (const SearchOptions& options : ManyOptions(*index)) {
      const SearchParams params = *index->Resolve(options);
      SCOPED_TRACE(::testing::Message() << form << " k " << params.k << " nprobe " << params.nprobe << " k_factor "
                                        << params.k_factor);
      ExpectSameNeighbors(MustSearch(*index, queries.view(), options),
                          WithWorstDistances(faiss.Search(queries.view(), params), GetParam()),
                          DistanceTolerance(queries.view(), GetParam()));
    }
  }
}

TEST_P(EveryForm, ARowsAnswerDoesNotDependOnItsBatch) {
  const Frames many = SpeechLike(512, kFormDimension, 3);
  const double tolerance = DistanceTolerance(many.view(), GetParam());
  for (const std::string& form : AllForms()) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form, GetParam()), frames_);
    const Neighbors together = MustSearch(*index, many.view());
    for (const int64_t first : {0, 100, 511})
      ExpectSameNeighbors(MustSearch(*index, many.view().Slice(first, 1)), RowsOf(together, first, 1), tolerance);
    for (const int64_t first : {0, 240, 496})
      ExpectSameNeighbors(MustSearch(*index, many.view().Slice(first, 16)), RowsOf(together, first, 16), tolerance);
  }
}

KITH_EVERY_METRIC(EveryForm);

class SearchBy : public ::testing::TestWithParam<Metric> {};

TEST_P(SearchBy, FlatEqualsBruteForce) {
  const Frames frames = SpeechLike(700, 48);
  const Frames queries = SpeechLike(60, 48, 2);
  const auto index = MustBuild(RecipeOf("Flat", GetParam()), frames);
  for (const int k : {1, 8, 705}) {
    ExpectSameNeighbors(MustSearch(*index, queries.view(), {k, {}, {}}),
                        ExactNeighbors(frames.view(), queries.view(), GetParam(), k),
                        DistanceTolerance(queries.view(), GetParam()));
  }
}

TEST_P(SearchBy, AllListsTogetherEqualBruteForce) {
  const Frames frames = SpeechLike(700, 48);
  const Frames queries = SpeechLike(60, 48, 2);
  const auto index = MustBuild(RecipeOf("rvc", GetParam()), frames);
  ExpectSameNeighbors(MustSearch(*index, queries.view(), {8, static_cast<int>(index->report().nlist), {}}),
                      ExactNeighbors(frames.view(), queries.view(), GetParam(), 8),
                      DistanceTolerance(queries.view(), GetParam()));
}

// The blocks of a real-time client are below faiss's default threshold, where it computes without BLAS.
TEST_P(SearchBy, EqualsFaissWithItsDefaultSettings) {
  const Frames frames = SpeechLike(700, 48);
  const Frames queries = SpeechLike(16, 48, 2);
  for (const char* form : {"Flat", "rvc", "rvc-2023", "auto", "fastscan"}) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form, GetParam()), frames);
    const SearchParams params = *index->Resolve({});
    FaissTwin faiss(*index);
    const int ours = faiss::distance_compute_blas_threshold;
    faiss::distance_compute_blas_threshold = 20;
    const Neighbors expected = faiss.Search(queries.view(), params);
    faiss::distance_compute_blas_threshold = ours;
    ExpectSameNeighbors(MustSearch(*index, queries.view()), expected, DistanceTolerance(queries.view(), GetParam()));
  }
}

TEST_P(SearchBy, PadsWhereThereAreTooFewRows) {
  const Frames frames = SpeechLike(3, 16);
  const auto index = MustBuild(RecipeOf("auto", GetParam()), frames);
  const Neighbors found = MustSearch(*index, frames.view());
  const float worst =
      GetParam() == Metric::kL2 ? std::numeric_limits<float>::max() : std::numeric_limits<float>::lowest();
  for (int64_t i = 0; i < 3; ++i) {
    for (int j = 0; j < 8; ++j) {
      EXPECT_EQ(found.ids[i * 8 + j] == -1, j >= 3);
      if (j >= 3) {
        EXPECT_EQ(found.distances[i * 8 + j], worst);
      }
    }
  }
}

// The recipe of the tips and what it may be combined with, at the dimensions of RVC v1 and v2, by parameters of the
// call.
TEST_P(SearchBy, FastScanAndOthersAnswerAsFaissDoesAtTheDimensionsOfRvc) {
  for (const int dimension : {256, 768}) {
    const Frames frames = SpeechLike(700, dimension);
    const Frames queries = SpeechLike(20, dimension, 2);
    const std::string codes = "PQ" + std::to_string(dimension / 2) + "x4fs";
    for (const std::string& form : {"IVF12," + codes + ",RFlat", "IVF12," + codes, "IVF12," + codes + "r",
                                    std::string("OPQ16_64,IVF12,PQ32x4fs,RFlat"), std::string("IVF12,SQ8"),
                                    std::string("HNSW32"), std::string("IVF12_HNSW32,Flat")}) {
      const auto index = MustBuild(RecipeOf(form, GetParam()), frames);
      FaissTwin faiss(*index);
      for (const SearchOptions& options : ManyOptions(*index)) {
        if (options.k > 8) continue;
        const SearchParams params = *index->Resolve(options);
        SCOPED_TRACE(::testing::Message() << form << " of " << dimension << ", k " << params.k << " nprobe "
                                          << params.nprobe << " k_factor " << params.k_factor);
        ExpectSameNeighbors(MustSearch(*index, queries.view(), options), faiss.Search(queries.view(), params),
                            DistanceTolerance(queries.view(), GetParam()));
      }
    }
  }
}

KITH_EVERY_METRIC(SearchBy);

TEST(SearchTest, AStoredRowFindsItself) {
  const Frames frames = SpeechLike(600, 32);
  for (const char* form : {"Flat", "auto", "rvc", "rvc-2023", "IVF12,Flat,RFlat", "IVF12_HNSW32,Flat"}) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
      SCOPED_TRACE(std::string(form) + " " + std::string(MetricName(metric)));
      const auto index = MustBuild(RecipeOf(form, metric), frames);
      const Neighbors found = MustSearch(*index, frames.view(), {1, {}, {}});
      for (int64_t i = 0; i < frames.rows(); ++i) EXPECT_EQ(found.ids[i], i);
    }
  }
}

TEST(SearchTest, ThreadsWithTheirOwnParametersDoNotDisturbEachOther) {
  const Frames frames = SpeechLike(2000, 32);
  const Frames queries = SpeechLike(64, 32, 2);
  for (const char* form : {"rvc", "IVF40,PQ16x4fs,RFlat", "IVF40,PQ16x4fsr", "PCA16,IVF40,Flat", "IVF40_HNSW16,Flat"}) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form), frames);
    std::vector<Neighbors> alone;
    for (int nprobe = 1; nprobe <= 8; ++nprobe) alone.push_back(MustSearch(*index, queries.view(), {8, nprobe, {}}));
    ASSERT_NE(alone[0].ids, alone[7].ids);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int nprobe = 1; nprobe <= 8; ++nprobe) {
      threads.emplace_back([&, nprobe] {
        SetThreadsOfThisThread(1);
        for (int i = 0; i < 20; ++i) {
          const Neighbors found = MustSearch(*index, queries.view(), {8, nprobe, {}});
          if (found.ids != alone[nprobe - 1].ids || found.distances != alone[nprobe - 1].distances) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(SearchTest, ThreadsWithTheirOwnNprobeAndKFactorGetWhatTheyGetAlone) {
  const Frames frames = SpeechLike(2000, 256);
  const Frames queries = SpeechLike(32, 256, 2);
  const std::vector<SearchOptions> options = {{8, 1, 1.0f}, {8, 2, 1.5f}, {8, 4, 2.0f}, {8, 40, 16.0f}};
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine}) {
    const auto index = MustBuild(RecipeOf("IVF40,PQ128x4fs,RFlat", metric), frames);
    std::vector<Neighbors> alone;
    for (const SearchOptions& each : options) alone.push_back(MustSearch(*index, queries.view(), each));
    ASSERT_NE(alone.front().ids, alone.back().ids);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (size_t i = 0; i < options.size(); ++i) {
      threads.emplace_back([&, i] {
        SetThreadsOfThisThread(1);
        for (int round = 0; round < 15; ++round) {
          const Neighbors found = MustSearch(*index, queries.view(), options[i]);
          if (found.ids != alone[i].ids || found.distances != alone[i].distances) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(SearchTest, RefusesFramesOfAnotherDimension) {
  const auto index = MustBuild(RecipeOf("auto"), SpeechLike(10, 32));
  const Frames other = SpeechLike(2, 16);
  const auto found = index->Search(other.view(), *index->Resolve({}));
  EXPECT_EQ(ReasonOf(found.status()), "DIMENSION_MISMATCH");
  EXPECT_NE(found.status().message().find("16"), std::string::npos);
  EXPECT_NE(found.status().message().find("32"), std::string::npos);
}

TEST(SearchTest, NoRowsGiveNoAnswers) {
  const auto index = MustBuild(RecipeOf("rvc"), SpeechLike(200, 32));
  EXPECT_EQ(MustSearch(*index, {nullptr, 0, 32}).rows(), 0);
}

TEST(SearchTest, ManyCandidatesOfManyRowsFitIntoMemory) {
  const Frames frames = SpeechLike(600, 16);
  const Frames queries = SpeechLike(3000, 16, 2);
  const auto index = MustBuild(RecipeOf("IVF4,PQ8x4fs,RFlat"), frames);
  // With every row a candidate and every list visited the answer is exact.
  const Neighbors found = MustSearch(*index, queries.view(), {16, 4, 1024.0f});
  ExpectSameNeighbors(found, ExactNeighbors(frames.view(), queries.view(), Metric::kL2, 16),
                      DistanceTolerance(queries.view(), Metric::kL2));
}

// faiss itself ends the process on the first of these, see normalize.h.
TEST(SearchTest, QueriesTooLargeForDistancesHaveNoNeighbours) {
  const Frames frames = SpeechLike(600, 32);
  const Frames usual = SpeechLike(4, 32, 2);
  Frames queries = Join(usual.view(), usual.view());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> bad{1e30f, -3e38f, 1e13f, nan};
  for (size_t i = 0; i < bad.size(); ++i)
    std::fill_n(queries.values.begin() + static_cast<int64_t>(i) * 64, 32, bad[i]);
  for (const std::string form : {"auto", "rvc", "fastscan", "Flat", "HNSW32", "IVF12,PQ8", "PCA16,IVF12,SQ8"}) {
    for (const Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
      SCOPED_TRACE(form + " " + std::string(MetricName(metric)));
      const auto index = MustBuild(RecipeOf(form, metric), frames);
      const Neighbors found = MustSearch(*index, queries.view());
      for (int64_t i = 0; i < 4; ++i) {
        EXPECT_EQ(found.ids[(2 * i) * 8], -1);
        const Neighbors alone = MustSearch(*index, queries.view().Slice(2 * i + 1, 1));
        EXPECT_TRUE(std::equal(alone.ids.begin(), alone.ids.end(), found.ids.begin() + (2 * i + 1) * 8));
      }
    }
  }
}

TEST(SearchTest, ByCosineALargeQueryIsAsGoodAsAnother) {
  const Frames frames = SpeechLike(600, 32);
  const Frames queries = SpeechLike(10, 32, 2);
  Frames large = queries;
  for (float& value : large.values) value *= 1e30f;
  const auto index = MustBuild(RecipeOf("rvc", Metric::kCosine), frames);
  EXPECT_EQ(MustSearch(*index, large.view()).ids, MustSearch(*index, queries.view()).ids);
}

TEST(ResolveTest, TakesTheIndexsOwnWhereNothingIsAsked) {
  const auto lists = MustBuild(RecipeOf("rvc-2023"), SpeechLike(600, 32));
  EXPECT_EQ(*lists->Resolve({}), (SearchParams{8, 2, 0}));
  EXPECT_EQ(*lists->Resolve({3, 5, {}}), (SearchParams{3, 5, 0}));
  EXPECT_EQ(*lists->Resolve({3, 1 << 30, {}}), (SearchParams{3, 15, 0}));
  Recipe recipe = RecipeOf("IVF4,PQ8x4fs,RFlat");
  recipe.nprobe = 2;
  recipe.k_factor = 7;
  const auto refined = MustBuild(recipe, SpeechLike(600, 32));
  EXPECT_EQ(*refined->Resolve({}), (SearchParams{8, 2, 7}));
  EXPECT_EQ(*refined->Resolve({8, {}, 1.5f}), (SearchParams{8, 2, 1.5f}));
}

TEST(ResolveTest, RefusesWhatMeansNothing) {
  const auto flat = MustBuild(RecipeOf("Flat"), SpeechLike(50, 32));
  const auto lists = MustBuild(RecipeOf("IVF4,PQ8x4fs,RFlat"), SpeechLike(600, 32));
  const auto expect_refused = [](const Index& index, const SearchOptions& options, const char* field) {
    const auto params = index.Resolve(options);
    EXPECT_EQ(ReasonOf(params.status()), "BAD_PARAMETER");
    EXPECT_NE(params.status().message().find(field), std::string::npos) << params.status();
  };
  expect_refused(*flat, {0, {}, {}}, "params.k:");
  expect_refused(*flat, {-1, {}, {}}, "params.k:");
  expect_refused(*flat, {8, 1, {}}, "params.nprobe");
  expect_refused(*flat, {8, {}, 2.0f}, "params.k_factor");
  expect_refused(*lists, {8, 0, {}}, "params.nprobe");
  expect_refused(*lists, {8, -3, {}}, "params.nprobe");
  expect_refused(*lists, {8, {}, 0.5f}, "params.k_factor");
  expect_refused(*lists, {8, {}, 0.0f}, "params.k_factor");
  expect_refused(*lists, {8, {}, 1025.0f}, "params.k_factor");
  expect_refused(*lists, {8, {}, std::numeric_limits<float>::quiet_NaN()}, "params.k_factor");
}

}  // namespace
}  // namespace kith::retrieval
