// Additions: all of the rows or none, seen once acknowledged.
#include <array>
#include <memory>
#include <vector>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAre;

// Opens the gate however a test ends.
class OpenAtEnd {
 public:
  explicit OpenAtEnd(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}
  ~OpenAtEnd() { gate_->Open(); }
  OpenAtEnd(const OpenAtEnd&) = delete;
  OpenAtEnd& operator=(const OpenAtEnd&) = delete;

 private:
  const std::shared_ptr<Gate> gate_;
};

class AddTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
  }

  absl::Status AddFails(const std::string& name, const retrieval::Frames& frames, const std::string& request_id = "") {
    MemorySource source(View(frames));
    return client().Add(name, source, request_id).status();
  }

  const retrieval::Frames frames_ = SpeechLike(500, 16);
  const retrieval::Frames more_ = SpeechLike(130, 16, 2);
};

TEST_F(AddTest, IdsGoOnFromTheLastOne) {
  const AddResult first = Add("voice", Rows(more_, 0, 100));
  EXPECT_EQ(first.first_id, 500);
  EXPECT_EQ(first.rows, 100);
  EXPECT_EQ(first.total_rows, 600);
  EXPECT_EQ(first.generation, 1);
  const AddResult second = Add("voice", Rows(more_, 100, 30));
  EXPECT_EQ(second.first_id, 600);
  EXPECT_EQ(second.total_rows, 630);
  const Experiment experiment = Get("voice");
  EXPECT_EQ(experiment.rows, 630);
  EXPECT_EQ(experiment.generation, 1);
  EXPECT_GT(experiment.updated, experiment.created);
}

TEST_F(AddTest, RowsAreSeenOnceTheyAreAcknowledged) {
  SearchParams nearest;
  nearest.k = 1;
  for (int64_t i = 0; i < 20; ++i) {
    const auto row = Rows(more_, i, 1);
    Add("voice", row);
    EXPECT_THAT(Search("voice", row, nearest).ids, ElementsAre(500 + i));
    EXPECT_EQ(Expand("voice", row).frames.values, row.values);  // a stored row gives itself
  }
}

TEST_F(AddTest, AnIndexThatGrewAnswersAsOneThatWasGivenTheRowsAtOnce) {
  Add("voice", more_);
  auto here = BuildHere({}, frames_);
  ASSERT_TRUE(here->Add(more_.view()).ok());
  const auto queries = QueriesNear(Joined(frames_, more_), 100, 3);
  ExpectSame(Search("voice", queries), SearchHere(*here, queries));
}

TEST_F(AddTest, EveryKindOfIndexTakesThem) {
  for (const char* factory : {"Flat", "IVF4,PQ8x4fs,RFlat", "HNSW16", "OPQ8,IVF4,PQ8", "PQ8x4fs", "SQ8"}) {
    Recipe recipe;
    recipe.factory = factory;
    Train(factory, frames_, recipe);
    EXPECT_EQ(Add(factory, more_).first_id, 500) << factory;
    EXPECT_EQ(Get(factory).rows, 630) << factory;
    const auto row = Rows(more_, 17, 1);
    EXPECT_EQ(Search(factory, row).ids.size(), 8u) << factory;
  }
}

TEST_F(AddTest, TheSameRequestIsAnsweredAgainAndAddsNothing) {
  const AddResult first = Add("voice", more_, "id");
  Add("voice", Rows(more_, 0, 5));
  const AddResult again = Add("voice", more_, "id");
  EXPECT_EQ(again.first_id, first.first_id);
  EXPECT_EQ(again.rows, first.rows);
  EXPECT_EQ(again.total_rows, first.total_rows);
  EXPECT_EQ(again.generation, first.generation);
  EXPECT_EQ(Get("voice").rows, 635);
}

TEST_F(AddTest, ARequestIdWithOtherContentIsRefused) {
  Add("voice", more_, "id");
  EXPECT_THAT(AddFails("voice", Rows(more_, 0, 129), "id"),
              FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED", "id"));
  EXPECT_EQ(Get("voice").rows, 630);
}

TEST_F(AddTest, ARequestIdBelongsToItsExperiment) {
  Train("other", frames_);
  Add("voice", more_, "id");
  EXPECT_EQ(Add("other", Rows(more_, 0, 7), "id").first_id, 500);
}

TEST_F(AddTest, AnUnknownExperimentIsNotFound) {
  EXPECT_THAT(AddFails("nobody", more_), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "nobody"));
}

TEST_F(AddTest, AnotherDimensionIsRefused) {
  EXPECT_THAT(AddFails("voice", SpeechLike(5, 17)), IsInvalid("DIMENSION_MISMATCH", "17"));
  EXPECT_EQ(Get("voice").rows, 500);
}

// Every value is finite, but no index could take the row.
TEST_F(AddTest, ARowTooLargeForAnyIndexIsRefusedAndTheVoiceServesOn) {
  retrieval::Frames bad = more_;
  for (int j = 0; j < 16; ++j) bad.values[21 * 16 + j] = 1e30f;
  EXPECT_THAT(AddFails("voice", bad), IsInvalid("NOT_FINITE", "row 21"));
  EXPECT_EQ(Get("voice").state, Experiment::State::kReady);
  EXPECT_EQ(Get("voice").rows, 500);
  EXPECT_EQ(Search("voice", Rows(frames_, 3, 1)).ids.front(), 3);
  EXPECT_EQ(Add("voice", more_).first_id, 500);
  Restart();
  EXPECT_EQ(Get("voice").rows, 630);
}

TEST_F(AddTest, AClientThatGoesAwayBeforeTheHalfCloseAddsNothing) {
  {
    v1::AddResponse response;
    RawAdd add = OpenAdd(&response);
    v1::AddRequest request;
    request.set_experiment("voice");
    ASSERT_TRUE(add->Write(request));
    request.Clear();
    FillRaw(SpeechLike(8000, 16, 3), request.mutable_frames());
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(add->Write(request));  // more than what may be under way unread
    add.GoAway();
    EXPECT_EQ(add.Finish().code(), absl::StatusCode::kCancelled);
  }
  Restart();  // every call is over
  EXPECT_EQ(Get("voice").rows, 500);
  EXPECT_EQ(Add("voice", Rows(more_, 0, 1)).first_id, 500);
}

TEST_F(AddTest, AdditionsThatWaitForAnExportHoldUpNoOtherVoice) {
  Train("other", frames_);
  const auto gate = std::make_shared<Gate>();
  service().HoldExport("voice", gate);
  const OpenAtEnd open(gate);
  constexpr int kAdditions = 12;  // more than the pool has threads
  std::array<v1::AddResponse, kAdditions> answers;
  std::vector<std::unique_ptr<RawAdd>> waiting;
  for (v1::AddResponse& answer : answers) {
    waiting.push_back(std::make_unique<RawAdd>([&](auto* context) { return retrieval().Add(context, &answer); }));
    v1::AddRequest request;
    request.set_experiment("voice");
    FillRaw(Rows(more_, 0, 10), request.mutable_frames());
    EXPECT_TRUE((*waiting.back())->Write(request));
    (*waiting.back())->WritesDone();
    (*waiting.back())->WaitForInitialMetadata();  // what the server sends once it has all of the upload
  }
  EXPECT_EQ(Add("other", Rows(more_, 0, 5)).total_rows, 505);
  EXPECT_EQ(Get("voice").rows, 500);
  EXPECT_TRUE(client().Delete("other").ok());
  gate->Open();
  for (int i = 0; i < kAdditions; ++i) {
    EXPECT_TRUE(waiting[i]->Finish().ok());
    EXPECT_EQ(answers[i].rows(), 10);
  }
  EXPECT_EQ(Get("voice").rows, 500 + 10 * kAdditions);
}

TEST_F(AddTest, FramesMayComeWithTheFirstMessageAndInEitherEncoding) {
  v1::AddResponse response;
  RawAdd add = OpenAdd(&response);
  v1::AddRequest request;
  request.set_experiment("voice");
  FillRaw(Rows(more_, 0, 10), request.mutable_frames());
  ASSERT_TRUE(add->Write(request));
  request.Clear();
  FillValues(Rows(more_, 10, 20), request.mutable_frames());
  ASSERT_TRUE(add->Write(request));
  add->WritesDone();
  const absl::Status status = add.Finish();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(response.first_id(), 500);
  EXPECT_EQ(response.rows(), 30);
  EXPECT_EQ(response.total_rows(), 530);
}

}  // namespace
}  // namespace kith::testing
