// Search over the wire gives what the index gives.
#include <limits>
#include <tuple>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

struct Case {
  const char* name;
  Recipe recipe;
  retrieval::Recipe here;
};

Case MakeCase(const char* name, const std::string& recipe, const std::string& factory, Metric metric,
              retrieval::Metric metric_here) {
  Case made{name, {}, {}};
  made.recipe.name = made.here.name = recipe;
  made.recipe.factory = made.here.factory = factory;
  made.recipe.metric = metric;
  made.here.metric = metric_here;
  return made;
}

class SearchRecipeTest : public IntegrationTest, public ::testing::WithParamInterface<Case> {};

TEST_P(SearchRecipeTest, GivesWhatTheIndexGives) {
  const auto frames = SpeechLike(1500, 32);
  Train("voice", frames, GetParam().recipe);
  const auto here = BuildHere(GetParam().here, frames);
  const auto queries = QueriesNear(frames, 100, 2);
  ExpectSame(Search("voice", queries), SearchHere(*here, queries));

  SearchParams params;
  params.k = 3;
  retrieval::SearchOptions options;
  options.k = 3;
  if (here->report().nlist > 0) params.nprobe = options.nprobe = 7;
  if (here->report().k_factor > 0) params.k_factor = options.k_factor = 20.0f;
  ExpectSame(Search("voice", queries, params), SearchHere(*here, queries, options));
}

INSTANTIATE_TEST_SUITE_P(
    Recipes, SearchRecipeTest,
    ::testing::Values(MakeCase("Auto", "auto", "", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("AutoCosine", "auto", "", Metric::kCosine, retrieval::Metric::kCosine),
                      MakeCase("AutoInnerProduct", "auto", "", Metric::kInnerProduct, retrieval::Metric::kInnerProduct),
                      MakeCase("Rvc", "rvc", "", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("Rvc2023", "rvc-2023", "", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("FastScan", "fastscan", "", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("FastScanCosine", "fastscan", "", Metric::kCosine, retrieval::Metric::kCosine),
                      MakeCase("Flat", "", "Flat", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("Graph", "", "HNSW16", Metric::kL2, retrieval::Metric::kL2),
                      MakeCase("RotatedLists", "", "OPQ8,IVF8,PQ8", Metric::kL2, retrieval::Metric::kL2)),
    [](const auto& param) { return param.param.name; });

class SearchTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    here_ = BuildHere({}, frames_);
  }

  v1::SearchRequest RequestFor(const retrieval::Frames& queries) {
    v1::SearchRequest request;
    request.set_experiment("voice");
    FillRaw(queries, request.mutable_frames());
    return request;
  }

  const retrieval::Frames frames_ = SpeechLike(1000, 24);
  std::unique_ptr<retrieval::Index> here_;
};

TEST_F(SearchTest, BothEncodingsGiveTheSame) {
  const auto queries = QueriesNear(frames_, 16, 2);
  v1::SearchRequest request = RequestFor(queries);
  v1::SearchResponse raw;
  ASSERT_TRUE(RawSearch(request, &raw).ok());
  FillValues(queries, request.mutable_frames());
  request.mutable_frames()->clear_raw();
  v1::SearchResponse readable;
  ASSERT_TRUE(RawSearch(request, &readable).ok());
  EXPECT_EQ(raw.SerializeAsString(), readable.SerializeAsString());
  EXPECT_EQ(raw.k(), 8);
  EXPECT_EQ(raw.ids_size(), 16 * 8);
  EXPECT_EQ(raw.generation(), 1);
}

TEST_F(SearchTest, EveryNprobeIsThatOfTheCall) {
  const auto queries = QueriesNear(frames_, 50, 2);
  for (const int nprobe : {1, 2, 25, 1000000}) {  // above nlist: all lists, as in faiss
    SearchParams params;
    params.nprobe = nprobe;
    retrieval::SearchOptions options;
    options.nprobe = nprobe;
    ExpectSame(Search("voice", queries, params), SearchHere(*here_, queries, options));
  }
  ExpectSame(Search("voice", queries), SearchHere(*here_, queries));  // none of them changed the index
}

TEST_F(SearchTest, ALargeRequestIsAnsweredInTheOrderOfItsRows) {
  SearchParams params;
  params.k = 1;
  const SearchResult found = Search("voice", frames_, params);
  ASSERT_EQ(found.ids.size(), 1000u);
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(found.ids[i], i);
}

TEST_F(SearchTest, MoreNeighboursThanRowsArePaddedAsByFaiss) {
  for (const auto& [metric, worst] : {std::pair(Metric::kL2, std::numeric_limits<float>::max()),
                                      std::pair(Metric::kCosine, std::numeric_limits<float>::lowest()),
                                      std::pair(Metric::kInnerProduct, std::numeric_limits<float>::lowest())}) {
    Recipe recipe;
    recipe.metric = metric;
    Train("small", SpeechLike(3, 8), recipe);
    SearchParams params;
    params.k = 1024;
    const SearchResult found = Search("small", SpeechLike(2, 8, 2), params);
    ASSERT_EQ(found.ids.size(), 2u * 1024);
    for (const size_t row : {0, 1}) {
      for (size_t i = 0; i < 1024; ++i) {
        const size_t at = row * 1024 + i;
        EXPECT_EQ(found.ids[at] >= 0, i < 3);
        if (i >= 3) {
          ASSERT_EQ(found.ids[at], -1);
          ASSERT_EQ(found.distances[at], worst);
        }
      }
    }
  }
}

TEST_F(SearchTest, AQueryTooFarAwayForAnyDistanceHasNoNeighboursAndHarmsNoOther) {
  retrieval::Frames queries = QueriesNear(frames_, 3, 2);
  const auto expected = Search("voice", queries);
  for (int j = 0; j < 24; ++j) queries.values[24 + j] = 3e38f;
  const SearchResult found = Search("voice", queries);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(found.ids[i], expected.ids[i]);
    EXPECT_EQ(found.ids[8 + i], -1);
    EXPECT_EQ(found.ids[16 + i], expected.ids[16 + i]);
  }
}

TEST_F(SearchTest, ACallWhoseDeadlinePassesInTheQueueIsLate) {
  Stop();
  options_.engine.threads = 1;
  Start();
  const auto gate = std::make_shared<Gate>();
  service().HoldWorker("voice", gate);
  // The client's own clock would end the call as well; either way it is DEADLINE_EXCEEDED and nothing waits on.
  CallOptions call;
  call.timeout = absl::Milliseconds(50);
  EXPECT_EQ(client().Search("voice", View(frames_), {}, call).status().code(), absl::StatusCode::kDeadlineExceeded);
  gate->Open();
  EXPECT_TRUE(client().Search("voice", View(frames_)).ok());
}

}  // namespace
}  // namespace kith::testing
