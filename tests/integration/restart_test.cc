// What outlives the server: every row that was acknowledged.
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAreArray;

using RestartTest = IntegrationTest;

TEST_F(RestartTest, EveryExperimentIsBackWithEveryRow) {
  const auto frames = SpeechLike(600, 24);
  const auto more = SpeechLike(333, 24, 2);
  const auto queries = QueriesNear(Joined(frames, more), 64, 3);
  std::vector<Recipe> recipes(6);
  recipes[1].name = "fastscan";
  recipes[2].metric = Metric::kCosine;
  recipes[3].metric = Metric::kInnerProduct;
  recipes[4].factory = "Flat";
  recipes[5].factory = "HNSW16";
  std::vector<Experiment> before;
  std::vector<SearchResult> found;
  std::vector<ExpandResult> blended;
  for (size_t i = 0; i < recipes.size(); ++i) {
    const std::string name = std::to_string(i);
    Train(name, frames, recipes[i]);
    Add(name, Rows(more, 0, 100));
    Add(name, Rows(more, 100, 233));
    before.push_back(Get(name));
    found.push_back(Search(name, queries));
    blended.push_back(Expand(name, queries));
  }
  Restart();
  EXPECT_EQ(client().List()->size(), recipes.size());
  for (size_t i = 0; i < recipes.size(); ++i) {
    const std::string name = std::to_string(i);
    const Experiment after = Get(name);
    EXPECT_EQ(after.state, Experiment::State::kReady) << after.message;
    EXPECT_EQ(after.rows, 933);
    EXPECT_EQ(after.factory, before[i].factory);
    EXPECT_EQ(after.nprobe, before[i].nprobe);
    EXPECT_EQ(after.k_factor, before[i].k_factor);
    EXPECT_EQ(after.recall_at_8, before[i].recall_at_8);
    EXPECT_EQ(after.generation, 1);
    EXPECT_EQ(after.created, before[i].created);
    const SearchResult again = Search(name, queries);
    EXPECT_THAT(again.ids, ElementsAreArray(found[i].ids)) << name;
    EXPECT_THAT(again.distances, ElementsAreArray(found[i].distances)) << name;
    EXPECT_EQ(Expand(name, queries).frames.values, blended[i].frames.values) << name;
    EXPECT_EQ(Add(name, Rows(more, 0, 1)).first_id, 933) << name;
  }
}

TEST_F(RestartTest, RequestIdsAreKnownAfterwards) {
  const auto frames = SpeechLike(100, 16);
  TrainOptions options;
  options.request_id = "train";
  MemorySource source(View(frames));
  ASSERT_TRUE(client().Train("voice", source, options).ok());
  const AddResult added = Add("voice", frames, "add");
  Restart();
  MemorySource again(View(frames));
  const auto trained = client().Train("voice", again, options);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->generation, 1);
  EXPECT_EQ(Add("voice", frames, "add").first_id, added.first_id);
  EXPECT_EQ(Get("voice").rows, 200);
  const auto others = SpeechLike(100, 16, 2);
  MemorySource other(View(others));
  EXPECT_THAT(client().Add("voice", other, "add").status(),
              FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "add"));
}

TEST_F(RestartTest, TheLastGenerationIsTheOneThatIsBack) {
  const auto frames = SpeechLike(200, 16);
  Train("voice", SpeechLike(50, 8));
  Add("voice", SpeechLike(5, 8));
  Train("voice", frames);
  Restart();
  EXPECT_EQ(Get("voice").generation, 2);
  EXPECT_EQ(Get("voice").rows, 200);
  EXPECT_EQ(Search("voice", Rows(frames, 150, 1)).ids.front(), 150);
  EXPECT_EQ(Train("voice", frames).generation, 3);
}

TEST_F(RestartTest, ADeletedExperimentStaysDeleted) {
  Train("voice", SpeechLike(50, 8));
  Train("other", SpeechLike(50, 8));
  ASSERT_TRUE(client().Delete("voice").ok());
  Restart();
  EXPECT_THAT(client().Get("voice").status(), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "voice"));
  EXPECT_EQ(Get("other").rows, 50);
}

TEST_F(RestartTest, AnUploadThatWasOpenLeavesNothing) {
  Train("voice", SpeechLike(50, 8));
  const auto first = StartUpload("voice", SpeechLike(70, 8));
  const auto second = StartUpload("new", SpeechLike(70, 8));
  Restart();
  EXPECT_EQ(Get("voice").generation, 1);
  EXPECT_FALSE(Get("voice").training);
  EXPECT_EQ(client().List()->size(), 1u);
}

}  // namespace
}  // namespace kith::testing
