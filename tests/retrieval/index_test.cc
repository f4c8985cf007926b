// Index: additions, alone and beside searches.
#include "server/retrieval/index.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "server/base/status.h"
#include "server/retrieval/platform.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

class AddToEveryForm : public ::testing::TestWithParam<Metric> {};

TEST_P(AddToEveryForm, AnswersAsFaissDoesAfterTheSameAddition) {
  const Frames frames = SpeechLike(kFormRows, kFormDimension);
  const Frames more = SpeechLike(150, kFormDimension, 4);
  const Frames queries = SpeechLike(20, kFormDimension, 2);
  for (const std::string& form : AllForms()) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form, GetParam()), frames);
    FaissTwin faiss(*index);
    ASSERT_TRUE(index->Add(more.view()).ok());
    faiss.Add(more.view());
    EXPECT_EQ(index->rows(), kFormRows + 150);
    EXPECT_EQ(index->CopyFrames().values, Join(frames.view(), more.view()).values);
    const Neighbors found = MustSearch(*index, queries.view());
    // A graph draws the levels of new nodes at random, and a file does not keep where the drawing stood.
    if (form.find("HNSW") != std::string::npos && index->report().nlist == 0) continue;
    ExpectSameNeighbors(found, faiss.Search(queries.view(), *index->Resolve({})),
                        DistanceTolerance(queries.view(), GetParam()));
  }
}

KITH_EVERY_METRIC(AddToEveryForm);

TEST(IndexTest, AddedRowsAreFoundAndBlended) {
  const Frames more = SpeechLike(100, 32, 9);
  for (const char* form : {"auto", "Flat", "rvc", "rvc-2023", "fastscan", "IVF12_HNSW8,Flat"}) {
    for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
      SCOPED_TRACE(std::string(form) + " " + std::string(MetricName(metric)));
      const auto index = MustBuild(RecipeOf(form, metric), SpeechLike(500, 32));
      ASSERT_TRUE(index->Add(more.view()).ok());
      const Neighbors found = MustSearch(*index, more.view(), {1, {}, {}});
      for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(found.ids[i], 500 + i);
      std::vector<float> out(more.values.size());
      EXPECT_EQ(index->Blend(more.view(), found, {}, out.data()), 0);
      EXPECT_EQ(out, more.values);
    }
  }
}

TEST(IndexTest, FramesComeBackAcrossManySmallAdditions) {
  Frames all = SpeechLike(1000, 8);
  const auto index = MustBuild(RecipeOf("Flat"), all);
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Frames more = SpeechLike(1 + static_cast<int64_t>(seed * 7 % 90), 8, 100 + seed);
    ASSERT_TRUE(index->Add(more.view()).ok());
    all = Join(all.view(), more.view());
  }
  EXPECT_GT(index->rows(), 2048);
  EXPECT_EQ(index->CopyFrames().values, all.values);
  const Neighbors found = MustSearch(*index, all.view(), {1, {}, {}});
  std::vector<float> out(all.values.size());
  EXPECT_EQ(index->Blend(all.view(), found, {}, out.data()), 0);
  EXPECT_EQ(out, all.values);
}

TEST(IndexTest, RefusesARowTooLargeForDistancesAndKeepsWhatItHas) {
  const auto index = MustBuild(RecipeOf("rvc"), SpeechLike(200, 16));
  Frames more = SpeechLike(100, 16, 2);
  more.values[90 * 16] = 1e20f;
  const absl::Status status = index->Add(more.view());
  EXPECT_EQ(ReasonOf(status), "NOT_FINITE");
  EXPECT_NE(status.message().find("row 90"), std::string::npos) << status;
  EXPECT_EQ(index->rows(), 200);
}

TEST(IndexTest, MemoryGrowsWithTheRows) {
  for (const std::string form :
       {"Flat", "IVF12,SQ8", "PQ16x4fs", "HNSW32_SQ8", "IVF12,PQ8x4fs,RFlat", "PCA16,IVF12,Flat"}) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form), SpeechLike(kFormRows, kFormDimension));
    const int64_t before = index->bytes();
    EXPECT_GT(before, kFormRows * kFormDimension * 4);  // the frames, and something for the index
    EXPECT_LT(before, kFormRows * kFormDimension * 4 * 8);
    ASSERT_TRUE(index->Add(SpeechLike(640, kFormDimension, 2).view()).ok());
    EXPECT_GT(index->bytes(), before + 640 * kFormDimension * 4);
  }
}

// Each searching thread checks every answer: a row that it asks for is found at its place as soon as an Add that held
// it has returned, and any id is one that exists.
TEST(IndexTest, SearchesBesideAnAdditionSeeOldRowsOrNewOnes) {
  constexpr int64_t kFirst = 1000;
  constexpr int64_t kMore = 400;
  const Frames all = SpeechLike(kFirst + kMore, 32);
  for (const std::string form : {"Flat", "IVF20,Flat", "IVF20,PQ16x4fs,RFlat", "HNSW16", "PCA32,IVF20,SQ8"}) {
    SCOPED_TRACE(form);
    Recipe recipe = RecipeOf(form);
    const auto index = MustBuild(recipe, {32, {all.values.begin(), all.values.begin() + kFirst * 32}});
    const bool exact = form == "Flat" || form == "IVF20,Flat";
    std::atomic<int64_t> acknowledged{kFirst};
    std::atomic<int> wrong{0};
    std::atomic<bool> done{false};
    std::vector<std::thread> searchers;
    for (int thread = 0; thread < 3; ++thread) {
      searchers.emplace_back([&, thread] {
        SetThreadsOfThisThread(1);
        for (int64_t i = thread; !done || i < 30; i += 3) {
          const int64_t least = acknowledged;
          const int64_t wanted = i % 2 == 0 ? least - 1 : i % least;
          const Neighbors found = MustSearch(*index, all.view().Slice(wanted, 1), {8, {}, {}});
          for (const int64_t id : found.ids) wrong += id < -1 || id >= index->rows() ? 1 : 0;
          if (exact) wrong += found.ids[0] == wanted ? 0 : 1;
          std::vector<float> out(32);
          index->Blend(all.view().Slice(wanted, 1), found, {}, out.data());
          if (exact) wrong += std::equal(out.begin(), out.end(), all.view().row(wanted)) ? 0 : 1;
        }
      });
    }
    for (int64_t row = kFirst; row < kFirst + kMore; row += 20) {
      EXPECT_TRUE(index->Add(all.view().Slice(row, 20)).ok());
      acknowledged = row + 20;
    }
    done = true;
    for (std::thread& searcher : searchers) searcher.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(index->rows(), kFirst + kMore);
    EXPECT_EQ(index->CopyFrames().values, all.values);
  }
}

}  // namespace
}  // namespace kith::retrieval
