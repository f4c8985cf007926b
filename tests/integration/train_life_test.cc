// A training and those around it: a client that goes away, others that want the same experiment meanwhile.
#include <thread>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

using ::testing::ElementsAre;

class TrainLifeTest : public IntegrationTest {
 protected:
  // One training at a time; `holder`'s lasts until the gate opens, so that others stay queued.
  TrainLifeTest() {
    options_.training.queue = 2;
    options_.training.on_finished = [this](const experiments::TrainingEnd& end) {
      if (end.name == "holder") gate_.Wait();
    };
  }
  ~TrainLifeTest() override { gate_.Open(); }

  bool Exists(const std::string& name) { return client().Get(name).ok(); }

  // Sends the frames, half-closes, and returns with the server's first word that it is past receiving.
  std::unique_ptr<RawTrain> StartTraining(const std::string& name, const retrieval::Frames& frames) {
    auto train = StartUpload(name, frames);
    (*train)->WritesDone();
    v1::TrainResponse response;
    do {
      EXPECT_TRUE((*train)->Read(&response));
    } while (response.phase() == v1::PHASE_RECEIVING);
    return train;
  }

  void HoldTrainer() {
    holder_ = StartTraining("holder", SpeechLike(5, 4));
    WaitUntil([&] { return Get("holder").generation == 1; });
  }

  Gate gate_;
  std::unique_ptr<RawTrain> holder_;
};

TEST_F(TrainLifeTest, SurvivesTheClientOnceTheUploadIsAccepted) {
  HoldTrainer();
  auto train = StartTraining("voice", SpeechLike(500, 16));
  train->GoAway();
  train.reset();
  EXPECT_EQ(Get("voice").state, Experiment::State::kTraining);
  gate_.Open();
  WaitUntil([&] { return Get("voice").generation == 1; });
  EXPECT_EQ(Get("voice").rows, 500);
}

TEST_F(TrainLifeTest, DetachedClientsNeedNotWait) {
  HoldTrainer();
  const auto frames = SpeechLike(500, 16);
  MemorySource source(View(frames));
  TrainOptions options;
  options.detach = true;
  const auto accepted = client().Train("voice", source, options);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_TRUE(accepted->training);
  gate_.Open();
  WaitUntil([&] { return Get("voice").generation == 1; });
}

TEST_F(TrainLifeTest, AClientThatGoesAwayBeforeTheHalfCloseLeavesNothingOfANewName) {
  auto train = StartUpload("voice", SpeechLike(500, 16));
  EXPECT_TRUE(Exists("voice"));
  train->GoAway();
  WaitUntil([&] { return !Exists("voice"); });
  const auto frames = SpeechLike(50, 8);
  EXPECT_EQ(Train("voice", frames).generation, 1);
}

TEST_F(TrainLifeTest, AClientThatGoesAwayBeforeTheHalfCloseLeavesAnExperimentAsItWas) {
  const auto frames = SpeechLike(100, 16);
  Train("voice", frames);
  Add("voice", SpeechLike(10, 16, 2));
  const SearchResult before = Search("voice", Rows(frames, 0, 10));
  auto train = StartUpload("voice", SpeechLike(500, 16, 3));
  EXPECT_TRUE(Get("voice").training);
  train->GoAway();
  WaitUntil([&] { return !Get("voice").training; });
  EXPECT_EQ(Get("voice").generation, 1);
  EXPECT_EQ(Get("voice").rows, 110);
  EXPECT_EQ(Search("voice", Rows(frames, 0, 10)).ids, before.ids);
  EXPECT_EQ(Add("voice", SpeechLike(5, 16)).first_id, 110);
  EXPECT_EQ(Train("voice", frames).generation, 2);
}

// The connection, not the call, is lost.
TEST_F(TrainLifeTest, AClientWhoseConnectionBreaksLeavesNothing) {
  {
    const auto channel = grpc::CreateChannel(service().address(), grpc::InsecureChannelCredentials());
    const auto stub = v1::Retrieval::NewStub(channel);
    RawTrain train([&](auto* context) { return stub->Train(context); });
    v1::TrainRequest request;
    request.set_experiment("voice");
    FillRaw(SpeechLike(500, 16), request.mutable_frames());
    ASSERT_TRUE(train->Write(request));
    v1::TrainResponse response;
    ASSERT_TRUE(train->Read(&response));
  }
  WaitUntil([&] { return !Exists("voice"); });
}

TEST_F(TrainLifeTest, MeanwhileAnotherTrainIsAborted) {
  const auto frames = SpeechLike(100, 16);
  auto first = StartUpload("voice", frames);
  MemorySource source(View(frames));
  EXPECT_THAT(client().Train("voice", source).status(),
              FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "try again when that is done"));
  EXPECT_EQ(Train("another", frames).generation, 1);
  // The first is none the worse.
  (*first)->WritesDone();
  v1::TrainResponse response;
  while ((*first)->Read(&response)) {
  }
  EXPECT_TRUE(first->Finish().ok());
  EXPECT_EQ(response.phase(), v1::PHASE_DONE);
  EXPECT_EQ(response.experiment().rows(), 100);
}

TEST_F(TrainLifeTest, MeanwhileAnAddIsRefusedAndADeleteAborted) {
  const auto frames = SpeechLike(100, 16);
  Train("voice", frames);
  const auto upload = StartUpload("voice", frames);
  MemorySource source(View(frames));
  EXPECT_THAT(client().Add("voice", source).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "TRAINING_IN_PROGRESS", "when that is done"));
  EXPECT_THAT(client().Delete("voice"),
              FailsWith(absl::StatusCode::kAborted, "TRAINING_IN_PROGRESS", "when that is done"));
  upload->GoAway();
  WaitUntil([&] { return !Get("voice").training; });
  EXPECT_EQ(Get("voice").rows, 100);
}

TEST_F(TrainLifeTest, MeanwhileTheOldGenerationServes) {
  const auto frames = SpeechLike(100, 16);
  Train("voice", frames);
  HoldTrainer();
  const auto train = StartTraining("voice", SpeechLike(50, 16, 2));
  const SearchResult found = Search("voice", Rows(frames, 99, 1));
  EXPECT_EQ(found.generation, 1);
  EXPECT_EQ(found.ids.front(), 99);
  EXPECT_EQ(Expand("voice", Rows(frames, 99, 1)).generation, 1);
  const Experiment meanwhile = Get("voice");
  EXPECT_EQ(meanwhile.state, Experiment::State::kReady);
  EXPECT_TRUE(meanwhile.training);
  EXPECT_EQ(meanwhile.rows, 100);
  gate_.Open();
  WaitUntil([&] { return !Get("voice").training; });
  EXPECT_EQ(Search("voice", Rows(frames, 99, 1)).generation, 2);
}

TEST_F(TrainLifeTest, BeforeTheFirstTrainingIsDoneThereIsNothingToSearch) {
  HoldTrainer();
  const auto frames = SpeechLike(100, 16);
  const auto train = StartTraining("voice", frames);
  EXPECT_THAT(client().Search("voice", View(frames)).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "NOT_TRAINED", "wait until it is done"));
  EXPECT_THAT(client().Expand("voice", View(frames)).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "NOT_TRAINED", "voice"));
  EXPECT_THAT(Refusal(client().StreamExpand("voice")),
              FailsWith(absl::StatusCode::kFailedPrecondition, "NOT_TRAINED", "voice"));
  MemorySource source(View(frames));
  EXPECT_THAT(client().Add("voice", source).status(),
              FailsWith(absl::StatusCode::kFailedPrecondition, "TRAINING_IN_PROGRESS", "voice"));
  const Experiment meanwhile = Get("voice");
  EXPECT_EQ(meanwhile.state, Experiment::State::kTraining);
  EXPECT_EQ(meanwhile.generation, 0);
  gate_.Open();
  WaitUntil([&] { return Get("voice").state == Experiment::State::kReady; });
  EXPECT_TRUE(client().Search("voice", View(frames)).ok());
}

TEST_F(TrainLifeTest, MoreTrainingsThanTheQueueTakesAreRefusedForNow) {
  HoldTrainer();
  const auto frames = SpeechLike(20, 8);
  const auto first = StartTraining("first", frames);
  const auto second = StartTraining("second", frames);
  MemorySource source(View(frames));
  const absl::Status status = client().Train("third", source).status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "2 trainings or tunings wait"));
  EXPECT_TRUE(RetryDelay(status).has_value());
  EXPECT_FALSE(Exists("third"));
  gate_.Open();
  WaitUntil([&] { return Get("first").generation == 1 && Get("second").generation == 1; });
  EXPECT_EQ(Train("third", frames).generation, 1);
}

TEST_F(TrainLifeTest, AFailedTrainingLeavesTheOldGeneration) {
  const auto frames = SpeechLike(100, 16);
  Train("voice", frames);
  // Every value is finite, so that only the training itself can find it.
  retrieval::Frames bad = SpeechLike(100, 16, 2);
  for (int j = 0; j < 16; ++j) bad.values[37 * 16 + j] = 1e30f;
  MemorySource source(View(bad));
  EXPECT_THAT(client().Train("voice", source).status(), IsInvalid("NOT_FINITE", "row 37"));
  EXPECT_FALSE(Get("voice").training);
  EXPECT_EQ(Get("voice").generation, 1);
  EXPECT_EQ(Search("voice", Rows(frames, 5, 1)).ids.front(), 5);
  EXPECT_EQ(Add("voice", Rows(frames, 0, 1)).first_id, 100);

  MemorySource again(View(bad));
  EXPECT_THAT(client().Train("new", again).status(), IsInvalid("NOT_FINITE", "row 37"));
  EXPECT_FALSE(Exists("new"));
}

}  // namespace
}  // namespace kith::testing
