// BuildIndex: what it trains, how it is watched and stopped.
#include "server/retrieval/build.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/index_factory.h>

#include <algorithm>

#include "server/base/status.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

std::vector<float> Centroids(const faiss::Index& index) {
  const auto& lists = dynamic_cast<const faiss::IndexIVF&>(index);
  std::vector<float> centroids(lists.nlist * lists.d);
  lists.quantizer->reconstruct_n(0, static_cast<int64_t>(lists.nlist), centroids.data());
  return centroids;
}

std::vector<float> FaissCentroids(const std::string& factory, const Frames& vectors, Metric metric, int seed) {
  const std::unique_ptr<faiss::Index> index(faiss::index_factory(
      vectors.dimension, factory.c_str(), metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT));
  dynamic_cast<faiss::IndexIVF&>(*index).cp.seed = seed;
  index->train(vectors.rows(), vectors.values.data());
  return Centroids(*index);
}

// The build runs k-means an iteration at a time; faiss runs all at once.
TEST(BuildTest, CentroidsAreFaisss) {
  const Frames frames = SpeechLike(1500, 32);
  const auto index = MustBuild(RecipeOf("rvc"), frames);
  ASSERT_EQ(index->report().factory, "IVF38,Flat");
  EXPECT_EQ(Centroids(index->faiss_index()), FaissCentroids("IVF38,Flat", frames, Metric::kL2, 1234));
}

TEST(BuildTest, CentroidsAreFaisssWhereItTrainsOnASample) {
  const Frames frames = SpeechLike(1500, 16);  // above 256 rows a list
  EXPECT_EQ(Centroids(MustBuild(RecipeOf("IVF4,Flat"), frames)->faiss_index()),
            FaissCentroids("IVF4,Flat", frames, Metric::kL2, 1234));
}

TEST(BuildTest, CentroidsAreFaisssWhereEachRowIsOne) {
  const Frames frames = SpeechLike(60, 16);
  EXPECT_EQ(Centroids(MustBuild(RecipeOf("IVF60,Flat"), frames)->faiss_index()),
            FaissCentroids("IVF60,Flat", frames, Metric::kL2, 1234));
}

// Between two iterations faiss's spherical centroids are normalised once more, which may move the last bit.
TEST(BuildTest, SphericalCentroidsAreFaisssWithinRounding) {
  const Frames frames = SpeechLike(1500, 32);
  for (const Metric metric : {Metric::kInnerProduct, Metric::kCosine}) {
    const auto index = MustBuild(RecipeOf("rvc", metric), frames);
    const std::vector<float> actual = Centroids(index->faiss_index());
    const std::vector<float> expected = FaissCentroids(
        index->report().factory, metric == Metric::kCosine ? UnitRows(frames.view()) : frames, metric, 1234);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5);
  }
}

TEST(BuildTest, TheSeedDecides) {
  const Frames frames = SpeechLike(1500, 32);
  for (const std::string name : {"rvc", "auto"}) {
    Recipe recipe = RecipeOf(name);
    const std::vector<float> first = Centroids(MustBuild(recipe, frames)->faiss_index());
    EXPECT_EQ(Centroids(MustBuild(recipe, frames)->faiss_index()), first);
    recipe.seed = 0;
    EXPECT_NE(Centroids(MustBuild(recipe, frames)->faiss_index()), first);
    EXPECT_EQ(Centroids(MustBuild(recipe, frames)->faiss_index()),
              FaissCentroids("IVF38,Flat", frames, Metric::kL2, 0));
  }
}

TEST(BuildTest, EveryRowCountFromOneOnTrains) {
  for (const std::string name : {"auto", "rvc", "rvc-2023", "fastscan"}) {
    for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine}) {
      for (const int64_t rows : {1, 2, 8, 38, 39, 40, 78}) {
        SCOPED_TRACE(name + " " + std::string(MetricName(metric)) + " " + std::to_string(rows));
        const auto index = MustBuild(RecipeOf(name, metric), SpeechLike(rows, 16));
        EXPECT_EQ(index->report().nlist, rows / 39);
        EXPECT_EQ(index->report().factory == "Flat", rows < 39);
        const Neighbors found = MustSearch(*index, SpeechLike(5, 16, 2).view());
        for (int64_t i = 0; i < 5; ++i) {
          const auto first = found.ids.begin() + i * 8;
          const auto none = std::count(first, first + 8, -1);
          if (rows < 78) {
            EXPECT_EQ(none, std::max<int64_t>(0, 8 - rows));  // one list at most
          }
          EXPECT_EQ(std::count(first + (8 - none), first + 8, -1), none);
        }
      }
    }
  }
}

TEST(BuildTest, RowsThatAreAlikeTrain) {
  for (const std::string name : {"auto", "rvc", "rvc-2023", "fastscan"}) {
    for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine}) {
      for (const float value : {0.0f, 0.3f}) {
        SCOPED_TRACE(name + " " + std::string(MetricName(metric)) + " " + std::to_string(value));
        const Frames frames{16, std::vector<float>(16 * 200, value)};
        const auto index = MustBuild(RecipeOf(name, metric), frames);
        std::vector<float> out(frames.values.size());
        index->Blend(frames.view(), MustSearch(*index, frames.view()), {}, out.data());
        EXPECT_EQ(out, frames.values);
      }
    }
  }
}

TEST(BuildTest, ReportsWhatWasBuilt) {
  Recipe recipe = RecipeOf("IVF10,PQ8x4fs,RFlat");
  recipe.nprobe = 4;
  recipe.k_factor = 6;
  const BuildReport report = MustBuild(recipe, SpeechLike(500, 32))->report();
  EXPECT_EQ(report.factory, "IVF10,PQ8x4fs,RFlat");
  EXPECT_EQ(report.nlist, 10);
  EXPECT_EQ(report.nprobe, 4);
  EXPECT_EQ(report.k_factor, 6);
  const BuildReport flat = MustBuild(RecipeOf("Flat"), SpeechLike(500, 32))->report();
  EXPECT_EQ(flat.nlist, 0);
  EXPECT_EQ(flat.nprobe, 0);
  EXPECT_EQ(flat.k_factor, 0);
  EXPECT_GT(flat.recall_at_8, 0.999);
}

TEST(BuildTest, TheWrittenIndexHasTheRecipesParameters) {
  Recipe recipe = RecipeOf("PCA16,IVF10,Flat");
  recipe.nprobe = 4;
  const auto index = MustBuild(recipe, SpeechLike(500, 32));
  FaissTwin faiss(*index);  // searched with what is in the file
  const Frames queries = SpeechLike(10, 32, 2);
  EXPECT_EQ(faiss.SearchAsRead(queries.view(), 8).ids, MustSearch(*index, queries.view()).ids);
}

TEST(BuildTest, RefusesWhatCannotTrain) {
  const auto index = TryBuild(RecipeOf("IVF100,Flat"), SpeechLike(50, 32));
  EXPECT_EQ(ReasonOf(index.status()), "BAD_PARAMETER");
  EXPECT_NE(index.status().message().find("100"), std::string::npos);
}

TEST(BuildTest, RefusesARowTooLargeForDistances) {
  Frames frames = SpeechLike(500, 32);
  frames.values[123 * 32 + 5] = 1e30f;
  for (const std::string& form : AllForms()) {
    const auto index = TryBuild(RecipeOf(form), frames);
    EXPECT_EQ(ReasonOf(index.status()), "NOT_FINITE");
    EXPECT_NE(index.status().message().find("row 123"), std::string::npos) << index.status();
  }
}

// The log is there, one JSON object a line perhaps.
TEST(BuildTest, NothingIsWrittenToStderr) {
  const Frames few = SpeechLike(kFormRows, kFormDimension);
  ::testing::internal::CaptureStderr();
  for (const std::string& form : AllForms()) MustBuild(RecipeOf(form), few);
  MustBuild(RecipeOf("IMI2x4,Flat"), few);
  MustBuild(RecipeOf("PQ8"), few);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

// Of 65,536 values 512 queries would be 128 MB, several times over.
TEST(BuildTest, VeryLongRowsTrainAndAreFound) {
  const Frames frames = SpeechLike(60, 65536);
  const auto index = MustBuild(RecipeOf("auto"), frames);
  EXPECT_GT(index->report().recall_at_8, 0.999);
  EXPECT_EQ(MustSearch(*index, frames.view().Slice(7, 1)).ids.front(), 7);
}

TEST(BuildTest, PhasesComeInOrderAndCountUp) {
  const Frames frames = SpeechLike(5000, 16);
  std::vector<BuildPhase> phases;
  int64_t last = -1;
  const auto index = BuildIndex(RecipeOf("auto"), frames.view(), [&](BuildPhase phase, int64_t done, int64_t total) {
    if (phases.empty() || phases.back() != phase) {
      phases.push_back(phase);
      last = -1;
    }
    EXPECT_GE(done, last);
    EXPECT_LE(done, total);
    last = done;
    return true;
  });
  ASSERT_TRUE(index.ok());
  EXPECT_EQ(phases, (std::vector<BuildPhase>{BuildPhase::kTraining, BuildPhase::kAdding, BuildPhase::kMeasuring}));
}

TEST(BuildTest, StopsAtWhicheverStepTheObserverSays) {
  const Frames frames = SpeechLike(300, 16);
  for (const std::string form : {"auto", "fastscan", "Flat", "HNSW8", "PCA8,IVF4,Flat"}) {
    SCOPED_TRACE(form);
    int calls = 0;
    ASSERT_TRUE(BuildIndex(RecipeOf(form), frames.view(), [&](BuildPhase, int64_t, int64_t) {
                  ++calls;
                  return true;
                }).ok());
    ASSERT_GE(calls, 3);
    for (int stop = 1; stop <= calls; ++stop) {
      int seen = 0;
      const auto index =
          BuildIndex(RecipeOf(form), frames.view(), [&](BuildPhase, int64_t, int64_t) { return ++seen < stop; });
      EXPECT_EQ(index.status().code(), absl::StatusCode::kCancelled) << "stopped at call " << stop;
      EXPECT_EQ(ReasonOf(index.status()), "CANCELLED");
      EXPECT_EQ(seen, stop);  // not asked again
    }
  }
}

}  // namespace
}  // namespace kith::retrieval
