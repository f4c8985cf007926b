#include "client/cpp/client.h"

#include <future>
#include <limits>
#include <thread>

#include "client/cpp/error.h"
#include "client/cpp/not_reached.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace kith {
namespace {

using test::FakeServer;
using test::MakeError;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Not;

// Row r holds r in every column.
Frames Numbered(int64_t rows, int dimension) {
  Frames frames{dimension, std::vector<float>(rows * dimension)};
  for (size_t i = 0; i < frames.values.size(); ++i) frames.values[i] = static_cast<float>(i / dimension);
  return frames;
}

ClientOptions To(const FakeServer& server) { return ClientOptions{server.target()}; }

TEST(ClientTest, SearchGivesIdsAndDistancesRowByRow) {
  FakeServer server;
  SearchParams params;
  params.k = 2;
  const auto found = Client(To(server)).Search("voice", Numbered(3, 4), params);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->k, 2);
  EXPECT_THAT(found->ids, ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(found->distances, ElementsAre(0, 1, 0, 1, 0, 1));
}

TEST(ClientTest, SearchSplitsAtTheRowLimitAndPutsTheAnswersTogether) {
  FakeServer server;
  std::vector<int64_t> seen;
  CallOptions call;
  call.on_rows = [&](int64_t rows) { seen.push_back(rows); };
  SearchParams params;
  params.k = 1;
  const auto found = Client(To(server)).Search("voice", Numbered(20000, 2), params, call);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(8192, 8192, 3616));
  EXPECT_THAT(seen, ElementsAre(8192, 16384, 20000));
  ASSERT_EQ(found->ids.size(), 20000u);
  for (int64_t row = 0; row < 20000; ++row) ASSERT_EQ(found->ids[row], row);
}

TEST(ClientTest, SearchSplitsByTheSizeOfTheAnswer) {
  FakeServer server;
  SearchParams params;
  params.k = 1024;  // 12 KiB an answered row: 341 rows in 4 MiB
  const auto found = Client(To(server)).Search("voice", Numbered(1000, 2), params);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(server.retrieval.request_rows(), Each(Le(341)));
  EXPECT_EQ(found->ids.size(), 1000u * 1024);
}

TEST(ClientTest, SearchStartsAnewWhenTheGenerationChangesBetweenItsParts) {
  FakeServer server;
  server.retrieval.generation_steps = 1;
  SearchParams params;
  params.k = 1;
  const auto found = Client(To(server)).Search("voice", Numbered(10000, 2), params);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->generation, 2);
  EXPECT_EQ(found->ids.size(), 10000u);
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(8192, 1808, 8192, 1808));
}

TEST(ClientTest, SearchGivesUpWhenTheGenerationKeepsChanging) {
  FakeServer server;
  server.retrieval.generation_steps = 1000;
  const auto found = Client(To(server)).Search("voice", Numbered(10000, 2));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kAborted);
}

TEST(ClientTest, ExpandSplitsByPayloadAndSumsThePassedRows) {
  FakeServer server;
  const Frames frames = Numbered(3000, 768);  // 9.2 MB: 1,365 rows in 4 MiB
  const auto blended = Client(To(server)).Expand("voice", frames);
  ASSERT_TRUE(blended.ok()) << blended.status();
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(1365, 1365, 270));
  EXPECT_EQ(blended->passthrough_rows, 3);
  ASSERT_EQ(blended->frames.rows(), 3000);
  for (size_t i = 0; i < frames.values.size(); ++i) ASSERT_EQ(blended->frames.values[i], frames.values[i] + 1);
}

TEST(ClientTest, PartsShrinkToTheServersOwnRowLimitAndStaySo) {
  FakeServer server;
  server.retrieval.limit_rows = 3000;
  Client client(To(server));
  SearchParams params;
  params.k = 1;
  const auto found = client.Search("voice", Numbered(5000, 2), params);
  ASSERT_TRUE(found.ok()) << found.status();
  for (int64_t row = 0; row < 5000; ++row) ASSERT_EQ(found->ids[row], row);
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(5000, 2500, 2500));
  ASSERT_TRUE(client.Expand("voice", Numbered(5000, 2)).ok());
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(5000, 2500, 2500, 2500, 2500));
}

TEST(ClientTest, PartsAndUploadsFitTheServersOwnMessageSize) {
  FakeServer server(0, 65536);
  Client client(To(server));
  const Frames frames = Numbered(1000, 768);  // 3 MB
  const auto blended = client.Expand("voice", frames);
  ASSERT_TRUE(blended.ok()) << blended.status();
  ASSERT_EQ(blended->frames.rows(), 1000);
  for (size_t i = 0; i < frames.values.size(); ++i) ASSERT_EQ(blended->frames.values[i], frames.values[i] + 1);
  MemorySource source(frames);
  const auto built = client.Train("voice", source);
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->rows, 1000);
  const auto added = client.Add("voice", source);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->rows, 1000);
}

TEST(ClientTest, ARowThatNoMessageCanHoldIsTheServersError) {
  FakeServer server(0, 65536);
  EXPECT_EQ(Client(To(server)).Search("voice", Numbered(2, 20000)).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(ClientTest, ARowThatIsNotFiniteIsCountedOverTheWholeCall) {
  FakeServer server;
  Client client(To(server));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    Frames frames = Numbered(20000, 2);
    frames.values[2 * 17000 + 1] = bad;
    MemorySource train(frames);
    MemorySource add(frames);
    for (const absl::Status& status : {client.Search("voice", frames).status(), client.Expand("voice", frames).status(),
                                       client.Train("voice", train).status(), client.Add("voice", add).status()}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(ErrorReason(status), "NOT_FINITE");
      EXPECT_EQ(status.message(), "frames: row 17000 has a NaN or an infinity");
    }
  }
  EXPECT_THAT(server.retrieval.request_rows(), ::testing::IsEmpty()) << "nothing is sent";
}

// Two pieces of ten rows each, the last of them with a NaN.
class NanAtTheEnd final : public FrameSource {
 public:
  absl::StatusOr<FramesView> Next() override {
    frames_ = Numbered(10, 4);
    if (++pieces_ == 2) frames_.values.back() = std::numeric_limits<float>::quiet_NaN();
    return FramesView(frames_);
  }
  absl::Status Rewind() override {
    pieces_ = 0;
    return absl::OkStatus();
  }

 private:
  Frames frames_;
  int pieces_ = 0;
};

TEST(ClientTest, ARowOfALaterPieceIsCountedOverTheWholeUpload) {
  FakeServer server;
  NanAtTheEnd source;
  const absl::Status status = Client(To(server)).Train("voice", source).status();
  EXPECT_EQ(status.message(), "frames: row 19 has a NaN or an infinity");
}

TEST(ClientTest, ValuesThatMakeNoWholeRowsAreRefusedWithTheReason) {
  FakeServer server;
  const std::vector<float> values(7);
  const auto found = Client(To(server)).Search("voice", FramesView(values, 4));
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(found.status()), "BAD_BATCH");
}

TEST(ClientTest, ErrorsCarryCodeMessageReasonAndRetryDelay) {
  FakeServer server;
  server.retrieval.before = [] {
    return MakeError(grpc::StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", "the queue is full", 250);
  };
  const absl::Status status = Client(To(server)).Expand("voice", Numbered(1, 2)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "the queue is full");
  EXPECT_EQ(ErrorReason(status), "OVERLOADED");
  EXPECT_EQ(RetryDelay(status), absl::Milliseconds(250));
  EXPECT_FALSE(IsNotReached(status));
}

TEST(ClientTest, TriesAgainWhenTheServerIsGoingAwayButNotWhenItsDiskIsFull) {
  FakeServer server;
  std::atomic<int> calls{0};
  server.retrieval.before = [&] {
    return ++calls == 1 ? MakeError(grpc::StatusCode::UNAVAILABLE, "SHUTTING_DOWN", "draining", 10) : grpc::Status::OK;
  };
  EXPECT_TRUE(Client(To(server)).Search("voice", Numbered(1, 2)).ok());
  EXPECT_EQ(calls, 2);

  FakeServer full;
  std::atomic<int> full_calls{0};
  full.retrieval.before = [&] {
    ++full_calls;
    return MakeError(grpc::StatusCode::UNAVAILABLE, "STORAGE", "the disk is full", 10);
  };
  EXPECT_EQ(ErrorReason(Client(To(full)).Search("voice", Numbered(1, 2)).status()), "STORAGE");
  EXPECT_EQ(full_calls, 1);
}

TEST(ClientTest, TheNameGoesPercentEncodedIntoTheMetadata) {
  FakeServer server;
  ASSERT_TRUE(Client(To(server)).Search("Zo\xc3\xab v2~x", Numbered(1, 2)).ok());
  EXPECT_EQ(server.retrieval.metadata(), "Zo%C3%AB%20v2~x");
}

TEST(ClientTest, TrainUploadsInMessagesAndReportsThePhases) {
  FakeServer server;
  const Frames frames = Numbered(1000, 768);  // 341 rows in 1 MiB
  MemorySource source(frames);
  std::vector<TrainPhase> phases;
  TrainOptions options;
  options.on_progress = [&](const TrainProgress& step) { phases.push_back(step.phase); };
  const auto built = Client(To(server)).Train("voice", source, options);
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->rows, 1000);
  EXPECT_EQ(built->factory, "Flat");
  EXPECT_THAT(server.retrieval.request_rows(), ElementsAre(341, 341, 318));
  EXPECT_THAT(phases,
              ElementsAre(TrainPhase::kReceiving, TrainPhase::kQueued, TrainPhase::kTraining, TrainPhase::kDone));
}

TEST(ClientTest, DetachedTrainReturnsOnceTheUploadIsAccepted) {
  FakeServer server;
  const Frames frames = Numbered(100, 8);
  MemorySource source(frames);
  TrainOptions options;
  options.detach = true;
  const auto accepted = Client(To(server)).Train("voice", source, options);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_TRUE(accepted->training);
  EXPECT_EQ(accepted->rows, 100);
  EXPECT_EQ(accepted->dimension, 8);
}

TEST(ClientTest, TrainWithoutFramesIsAnErrorAndNotARetraining) {
  FakeServer server;
  MemorySource source{FramesView()};
  const auto built = Client(To(server)).Train("voice", source);
  EXPECT_EQ(ErrorReason(built.status()), "EMPTY_BATCH");
  const auto again = Client(To(server)).Retrain("voice");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->rows, 0);  // sent: the server's own are used
}

// Gives some frames, then fails once the server is at the call.
class BrokenSource final : public FrameSource {
 public:
  explicit BrokenSource(std::future<void> server_began) : server_began_(std::move(server_began)) {}
  absl::StatusOr<FramesView> Next() override {
    if (given_) {
      server_began_.wait();
      return absl::InvalidArgumentError("b.npy: truncated");
    }
    given_ = true;
    return FramesView(frames_);
  }
  absl::Status Rewind() override { return absl::OkStatus(); }

 private:
  const Frames frames_ = Numbered(10, 4);
  const std::future<void> server_began_;
  bool given_ = false;
};

TEST(ClientTest, AFailingSourceCancelsTheTrainingAndItsErrorIsTold) {
  FakeServer server;
  std::promise<void> began;
  server.retrieval.before = [&] {
    began.set_value();
    return grpc::Status::OK;
  };
  BrokenSource source(began.get_future());
  const auto built = Client(To(server)).Train("voice", source);
  EXPECT_EQ(built.status().message(), "b.npy: truncated");
  server.server().Shutdown();  // waits for the handler
  EXPECT_TRUE(server.retrieval.train_cancelled);
}

TEST(ClientTest, ATrainingThatIsRefusedTellsWhy) {
  FakeServer server;
  server.retrieval.before = [] { return MakeError(grpc::StatusCode::ABORTED, "TRAINING_IN_PROGRESS", "it runs"); };
  const Frames frames = Numbered(5000, 768);
  MemorySource source(frames);
  const auto built = Client(To(server)).Train("voice", source);
  EXPECT_EQ(built.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ErrorReason(built.status()), "TRAINING_IN_PROGRESS");
}

TEST(ClientTest, AddTriesAgainWithTheSameRequestIdAndAllFrames) {
  FakeServer server;
  std::atomic<int> calls{0};
  server.retrieval.before = [&] {
    return ++calls == 1 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection lost") : grpc::Status::OK;
  };
  const Frames frames = Numbered(50, 4);
  MemorySource source(frames);
  const auto added = Client(To(server)).Add("voice", source);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->rows, 50);
  EXPECT_EQ(added->first_id, 100);
  ASSERT_EQ(server.retrieval.request_ids().size(), 2u);
  EXPECT_EQ(server.retrieval.request_ids()[0].size(), 32u);
  EXPECT_EQ(server.retrieval.request_ids()[0], server.retrieval.request_ids()[1]);
}

TEST(ClientTest, AddKeepsTheCallersRequestIdAndOtherwiseTakesANewOne) {
  FakeServer server;
  Client client(To(server));
  const Frames frames = Numbered(5, 4);
  for (const char* id : {"mine", "", ""}) {
    MemorySource source(frames);
    ASSERT_TRUE(client.Add("voice", source, id).ok());
  }
  EXPECT_EQ(server.retrieval.request_ids()[0], "mine");
  EXPECT_NE(server.retrieval.request_ids()[1], server.retrieval.request_ids()[2]);
}

TEST(ClientTest, ListGivesAllPages) {
  FakeServer server;
  const auto list = Client(To(server)).List();
  ASSERT_TRUE(list.ok()) << list.status();
  std::vector<std::string> names;
  for (const Experiment& experiment : *list) names.push_back(experiment.name);
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST(ClientTest, GetDeleteAndHealth) {
  FakeServer server;
  Client client(To(server));
  const auto experiment = client.Get("a");
  ASSERT_TRUE(experiment.ok()) << experiment.status();
  EXPECT_EQ(experiment->state, Experiment::State::kReady);
  EXPECT_EQ(experiment->metric, Metric::kCosine);
  EXPECT_EQ(experiment->nprobe, 12);
  EXPECT_EQ(experiment->created, absl::FromUnixSeconds(1700000000));
  EXPECT_EQ(ErrorReason(client.Get("x").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_TRUE(client.Delete("a").ok());
  EXPECT_EQ(ErrorReason(client.Delete("x")), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(client.GetHealth().value(), Health::kServing);
  server.server().GetHealthCheckService()->SetServingStatus(false);
  EXPECT_EQ(client.GetHealth().value(), Health::kNotServing);
}

TEST(ClientTest, AServerThatIsNotThereIsUnavailableAndNamed) {
  const std::string target = test::UnreachableTarget();
  const absl::Status status = Client(ClientOptions{target}).List().status();
  EXPECT_TRUE(IsNotReached(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(target));
  EXPECT_THAT(std::string(status.message()), HasSubstr("is kithd running"));
}

TEST(ClientTest, AdviceOnAServerThatIsNotReachedGoesWithTheCause) {
  const auto told = [](const char* target, bool tls, const char* why) {
    const absl::Status status = client::NotReached(target, tls, why);
    EXPECT_TRUE(IsNotReached(status));
    return std::string(status.message());
  };
  const char* const refused = "failed to connect to all addresses; last error: UNKNOWN: Connection refused";
  EXPECT_EQ(told("127.0.0.1:7", false, refused),
            "cannot reach the server at 127.0.0.1:7 (Connection refused); is kithd running there? Start it with: kithd "
            "--listen 127.0.0.1:7");
  for (const char* elsewhere : {"10.0.0.9:7", "voices:7", "unix:/socket"}) {
    EXPECT_THAT(told(elsewhere, false, refused), Not(HasSubstr("kithd --listen"))) << elsewhere;
  }
  EXPECT_THAT(told("127.0.0.1:7", false, "last error: Socket closed"), HasSubstr("does it want TLS?"));
  EXPECT_THAT(told("127.0.0.1:7", true, "last error: Socket closed"), HasSubstr("--tls-cert"));
  EXPECT_THAT(told("voices:7", true, "Ssl handshake failed: SSL routines::certificate verify failed"),
              AllOf(HasSubstr("(certificate verify failed)"), HasSubstr("authority")));
  EXPECT_THAT(told("voices:7", false, "DNS resolution failed for voices:7: Domain name not found"),
              HasSubstr("does not resolve"));
}

TEST(ClientTest, OneClientFindsTheServerAgainAfterARestart) {
  auto server = std::make_unique<FakeServer>();
  const int port = server->port();
  Client client(To(*server));
  ASSERT_TRUE(client.List().ok());
  server.reset();
  EXPECT_TRUE(IsNotReached(client.List().status()));
  server = std::make_unique<FakeServer>(port);
  EXPECT_TRUE(client.List().ok());
}

TEST(ClientTest, ATimeoutEndsACallThatIsNotAnswered) {
  FakeServer server;
  std::atomic<bool> release{false};
  server.retrieval.before = [&] {
    while (!release) std::this_thread::yield();
    return grpc::Status::OK;
  };
  CallOptions call;
  call.timeout = absl::Milliseconds(50);
  const auto found = Client(To(server)).Search("voice", Numbered(1, 2), {}, call);
  release = true;
  EXPECT_EQ(found.status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ClientTest, CancellationEndsARunningCallAndEveryLaterOne) {
  FakeServer server;
  Cancellation cancellation;
  std::atomic<bool> release{false};
  server.retrieval.before = [&] {
    cancellation.Cancel();
    while (!release) std::this_thread::yield();
    return grpc::Status::OK;
  };
  CallOptions call;
  call.cancellation = &cancellation;
  Client client(To(server));
  EXPECT_EQ(client.Search("voice", Numbered(1, 2), {}, call).status().code(), absl::StatusCode::kCancelled);
  release = true;
  EXPECT_EQ(client.List(call).status().code(), absl::StatusCode::kCancelled);
}

TEST(ClientTest, ATargetWithoutAPortMeansKithsOwn) {
  EXPECT_EQ(Client(ClientOptions{"host"}).target(), "host:50051");
  EXPECT_EQ(Client(ClientOptions{"host:7"}).target(), "host:7");
  EXPECT_EQ(Client(ClientOptions{"[::1]"}).target(), "[::1]:50051");
  EXPECT_EQ(Client(ClientOptions{"kith://host:7/"}).target(), "host:7");
  EXPECT_EQ(Client(ClientOptions{"[::1]:7"}).target(), "[::1]:7");
}

}  // namespace
}  // namespace kith
