// RowsAtOnce: few for costly searches, many for cheap ones.
#include "server/retrieval/cost.h"

#include <faiss/IndexHNSW.h>
#include <gtest/gtest.h>

#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

int64_t RowsAtOnce(const Index& index, const SearchOptions& options) {
  return index.RowsAtOnce(*index.Resolve(options));
}

TEST(CostTest, MoreListsAreFewerRows) {
  const auto index = MustBuild(RecipeOf("IVF16,Flat"), SpeechLike(4000, 256));
  const int64_t at_one = RowsAtOnce(*index, {8, 1, {}});
  const int64_t at_all = RowsAtOnce(*index, {8, 16, {}});
  EXPECT_GT(at_one, 8 * at_all);
  EXPECT_LT(at_all, 64);
  EXPECT_GE(at_all, 1);
}

TEST(CostTest, AdditionsCount) {
  const auto index = MustBuild(RecipeOf("IVF16,Flat"), SpeechLike(2000, 64));
  const int64_t before = RowsAtOnce(*index, {8, 16, {}});
  ASSERT_TRUE(index->Add(SpeechLike(2000, 64, 2).view()).ok());
  EXPECT_NEAR(static_cast<double>(RowsAtOnce(*index, {8, 16, {}})), before / 2.0, before / 50.0);
}

TEST(CostTest, CandidatesThatAreRankedAgainCount) {
  const auto index = MustBuild(RecipeOf("IVF16,PQ8x4fs,RFlat"), SpeechLike(4000, 64));
  EXPECT_GT(RowsAtOnce(*index, {8, 1, 1.0f}), 8 * RowsAtOnce(*index, {1024, 1, 64.0f}));
}

TEST(CostTest, AGraphThatIsSearchedWidelyCostsMore) {
  faiss::IndexHNSWFlat index(64, 16);
  const int64_t usual = SearchCost(index).RowsAtOnce(10'000, {8, 0, 0});
  index.hnsw.efSearch *= 64;
  EXPECT_LT(SearchCost(index).RowsAtOnce(10'000, {8, 0, 0}), usual / 32);
}

TEST(CostTest, EveryFormHasACostThatIsNeverNone) {
  const Frames frames = SpeechLike(kFormRows, kFormDimension);
  for (const std::string& form : AllForms()) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form), frames);
    EXPECT_GE(RowsAtOnce(*index, {}), 16);
    EXPECT_GE(RowsAtOnce(*index, {1024, {}, {}}), 1);
  }
}

}  // namespace
}  // namespace kith::retrieval
