// Shutting down while calls run.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

constexpr int kStreams = 8;
constexpr std::chrono::minutes kPatience(5);

std::string VoiceOf(int i) { return "voice-" + std::to_string(i); }

class DrainTest : public IntegrationTest {
 protected:
  DrainTest() {
    options_.engine.threads = 1;
    options_.training.on_finished = [gate = gate_](const experiments::TrainingEnd& end) {
      if (end.name == "long training") gate->Wait();
    };
  }
  ~DrainTest() override { gate_->Open(); }

  void SetUp() override {
    IntegrationTest::SetUp();
    for (int i = 0; i < kStreams; ++i) Train(VoiceOf(i), frames_);
    Train("holder", frames_);
    Train("unary", frames_);
  }

  // By each kind of call, and with a hint when to try again.
  void ExpectNewCallsAreRefused() {
    const auto refused = FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "connect again");
    v1::SearchRequest request;
    request.set_experiment("unary");
    FillRaw(frames_, request.mutable_frames());
    v1::SearchResponse response;
    const absl::Status search = RawSearch(request, &response);
    EXPECT_THAT(search, refused);
    EXPECT_TRUE(RetryDelay(search).has_value());
    EXPECT_THAT(RawExpand({}, nullptr), refused);
    v1::AddResponse added;
    EXPECT_THAT(OpenAdd(&added).Finish(), refused);
    EXPECT_THAT(OpenTrain().Finish(), refused);
    EXPECT_THAT(OpenStreamSearch().Finish(), refused);
    EXPECT_THAT(OpenStreamExpand().Finish(), refused);
    EXPECT_THAT(client().List().status(), refused);
  }

  const retrieval::Frames frames_ = SpeechLike(30, 8);
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(DrainTest, WhatIsUnderWayIsAnsweredThenStreamsEnd) {
  const auto idle = client().StreamSearch("holder");
  ASSERT_TRUE(idle.ok()) << idle.status();
  ASSERT_TRUE((*idle)->Write(1, View(frames_)).ok());
  ASSERT_TRUE((*idle)->Read().ok());
  service().HoldWorker("holder", gate_);
  std::vector<std::unique_ptr<SearchStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    auto stream = client().StreamSearch(VoiceOf(i));
    ASSERT_TRUE(stream.ok()) << stream.status();
    streams.push_back(*std::move(stream));
    ASSERT_TRUE(streams.back()->Write(i, View(Rows(frames_, i, 1))).ok());
    service().WaitUntilTaken(VoiceOf(i));
  }
  absl::StatusOr<SearchResult> unary;
  std::thread caller([&] { unary = client().Search("unary", View(Rows(frames_, 20, 1))); });
  service().WaitUntilTaken("unary");

  grpc::ClientContext context;
  const auto health = grpc::health::v1::Health::NewStub(channel());
  const auto watch = health->Watch(&context, grpc::health::v1::HealthCheckRequest());
  grpc::health::v1::HealthCheckResponse state;
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::SERVING);

  std::thread draining([&] { service().server().Drain(kPatience); });
  ASSERT_TRUE(watch->Read(&state));
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_THAT((*idle)->Read().status(), FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "connect again"));
  grpc::ClientContext check;
  ASSERT_TRUE(health->Check(&check, grpc::health::v1::HealthCheckRequest(), &state).ok());
  EXPECT_EQ(state.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  ExpectNewCallsAreRefused();
  gate_->Open();

  for (int i = 0; i < kStreams; ++i) {
    const auto answer = streams[i]->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->sequence, i);
    EXPECT_TRUE((*answer)->status.ok()) << (*answer)->status;
    EXPECT_EQ((*answer)->result.ids.front(), i);
    const absl::Status end = streams[i]->Read().status();
    EXPECT_THAT(end, FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "connect again"));
    EXPECT_TRUE(RetryDelay(end).has_value());
  }
  caller.join();
  ASSERT_TRUE(unary.ok()) << unary.status();
  EXPECT_EQ(unary->ids.front(), 20);
  draining.join();  // although the watch is still there
  EXPECT_FALSE(watch->Read(&state));
}

TEST_F(DrainTest, ATrainingThatIsWatchedEndsAtOnce) {
  const auto running = StartUpload("long training", frames_);
  (*running)->WritesDone();
  const auto waiting = StartUpload("waiting", frames_);
  (*waiting)->WritesDone();
  WaitUntil([&] { return Get("long training").generation == 1; });  // and so the trainer has something to do
  v1::TrainResponse response;
  while (response.phase() != v1::PHASE_QUEUED) ASSERT_TRUE((*waiting)->Read(&response));
  std::thread draining([&] { service().server().Drain(kPatience); });
  while ((*waiting)->Read(&response)) {
  }
  EXPECT_THAT(waiting->Finish(),
              FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "nothing of this was kept"));
  gate_->Open();
  while ((*running)->Read(&response)) {
  }
  EXPECT_TRUE(running->Finish().ok()) << "it was stored already";
  draining.join();
}

TEST_F(DrainTest, UnderLoadEveryAnswerBeforeTheEndIsRight) {
  std::mutex mutex;
  std::condition_variable changed;
  int busy = 0;
  const auto run = [&](int i) {
    auto stream = client().StreamSearch(VoiceOf(i));
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (int64_t block = 0;; ++block) {
      const int64_t row = block % 30;
      (void)(*stream)->Write(block, View(Rows(frames_, row, 1)));
      const auto answer = (*stream)->Read();
      if (!answer.ok()) {
        EXPECT_THAT(answer.status(), FailsWith(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", ""));
        return;
      }
      ASSERT_TRUE(answer->has_value());
      EXPECT_EQ((*answer)->sequence, block);
      EXPECT_EQ((*answer)->result.ids.front(), row);
      if (block == 5) {
        const std::lock_guard<std::mutex> lock(mutex);
        ++busy;
        changed.notify_one();
      }
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(kStreams);
  for (int i = 0; i < kStreams; ++i) threads.emplace_back(run, i);
  {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return busy == kStreams; });
  }
  service().server().Drain(kPatience);
  for (std::thread& thread : threads) thread.join();
}

TEST_F(DrainTest, PatienceEndsAndWhatIsLeftIsCancelled) {
  const auto upload = StartUpload("new", frames_);  // its client never goes on
  service().server().Drain(std::chrono::milliseconds(1));
  v1::TrainResponse response;
  while ((*upload)->Read(&response)) {
  }
  EXPECT_FALSE(upload->Finish().ok());
}

TEST_F(DrainTest, AfterwardsNobodyIsServed) {
  ASSERT_TRUE(client().Search("unary", View(frames_)).ok());
  service().server().Drain(kPatience);
  CallOptions call;
  call.timeout = absl::Seconds(1);  // it is tried all that time
  EXPECT_TRUE(IsNotReached(client().Search("unary", View(frames_), {}, call).status()));
  service().server().Drain(kPatience);  // once more does no harm
}

}  // namespace
}  // namespace kith::testing
