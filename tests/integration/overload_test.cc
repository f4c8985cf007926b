// More than the server can do, or clients that do not wait for it. One worker, which the tests keep busy by a gate.
#include <thread>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

constexpr int kStreams = 10;

class OverloadTest : public IntegrationTest {
 protected:
  OverloadTest() {
    options_.engine.threads = 1;
    options_.engine.queue_rows = 64;
    options_.limits.streams = kStreams;
  }
  ~OverloadTest() override { gate_->Open(); }

  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    Train("holder", SpeechLike(5, 4));
    service().HoldWorker("holder", gate_);
  }

  std::unique_ptr<SearchStream> OpenStream(std::optional<absl::Duration> budget = {}) {
    auto stream = client().StreamSearch("voice", {}, budget);
    EXPECT_TRUE(stream.ok()) << stream.status();
    return *std::move(stream);
  }

  static Block<SearchResult> Next(SearchStream& stream) {
    auto answer = stream.Read();
    EXPECT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    return **std::move(answer);
  }

  const retrieval::Frames frames_ = SpeechLike(500, 24);
  const retrieval::Frames block_ = Rows(frames_, 0, 16);
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(OverloadTest, ABlockWhoseBudgetIsOverIsAnsweredLateWithoutBeingComputed) {
  const auto hurried = OpenStream(absl::Milliseconds(1));
  const auto patient = OpenStream();
  ASSERT_TRUE(patient->Write(7, View(block_)).ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(hurried->Write(i, View(block_)).ok());
    const auto late = Next(*hurried);  // while the worker is still busy
    EXPECT_EQ(late.sequence, i);
    EXPECT_THAT(late.status, FailsWith(absl::StatusCode::kDeadlineExceeded, "LATE", "time"));
    EXPECT_TRUE(late.result.ids.empty());
  }
  gate_->Open();
  const auto answer = Next(*patient);
  EXPECT_EQ(answer.sequence, 7);
  EXPECT_TRUE(answer.status.ok()) << answer.status;
}

TEST_F(OverloadTest, LateBlocksAreAnsweredInTheirTurn) {
  const auto stream = OpenStream(absl::Milliseconds(1));
  ASSERT_TRUE(stream->Write(0, View(block_)).ok());
  ASSERT_TRUE(stream->Write(1, View(SpeechLike(1, 23))).ok());  // known to be bad at once
  ASSERT_TRUE(stream->Write(2, View(block_)).ok());
  EXPECT_THAT(Next(*stream).status, FailsWith(absl::StatusCode::kDeadlineExceeded, "LATE", ""));
  EXPECT_THAT(Next(*stream).status, IsInvalid("DIMENSION_MISMATCH", "23"));
  const auto last = Next(*stream);
  EXPECT_EQ(last.sequence, 2);
  EXPECT_THAT(last.status, FailsWith(absl::StatusCode::kDeadlineExceeded, "LATE", ""));
}

TEST_F(OverloadTest, ABlockThatTheQueueHasNoRoomForIsRefusedForNow) {
  service().Enqueue("holder", 60);
  const auto stream = OpenStream();
  ASSERT_TRUE(stream->Write(1, View(block_)).ok());
  const auto refused = Next(*stream);  // while the worker is still busy
  EXPECT_EQ(refused.sequence, 1);
  EXPECT_THAT(refused.status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "60 rows wait"));
  EXPECT_TRUE(RetryDelay(refused.status).has_value());
  ASSERT_TRUE(stream->Write(2, View(Rows(frames_, 0, 4))).ok());  // as much as there is room for
  gate_->Open();
  EXPECT_TRUE(Next(*stream).status.ok());
}

TEST_F(OverloadTest, ACallThatTheQueueHasNoRoomForIsRefusedForNow) {
  service().Enqueue("holder", 60);
  const absl::Status status = client().Search("voice", View(block_)).status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "at most 64"));
  EXPECT_TRUE(RetryDelay(status).has_value());
  EXPECT_THAT(client().Expand("voice", View(block_)).status(),
              FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "try again"));
  gate_->Open();
  WaitUntil([&] { return client().Search("voice", View(Rows(frames_, 0, 64))).ok(); });
}

// Twice what fits comes from one client: what fits is taken, half of the queue, and the rest of it is for others.
TEST_F(OverloadTest, AFloodOfOneClientIsRefusedAndOthersAreNot) {
  constexpr int kFlood = 16;
  constexpr int kFits = 8;
  const auto flood = OpenStream();
  for (int i = 0; i < kFlood; ++i) ASSERT_TRUE(flood->Write(i, View(Rows(frames_, 0, 4))).ok());
  WaitUntil([&] { return service().waiting_rows() == kFits * 4; });

  Client other(ClientOptions{service().address()});
  const auto stream = other.StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(0, View(block_)).ok());
  WaitUntil([&] { return service().waiting_rows() == kFits * 4 + block_.rows(); });
  gate_->Open();
  EXPECT_TRUE(Next(**stream).status.ok());
  for (int i = 0; i < kFlood; ++i) {
    const auto answer = Next(*flood);
    EXPECT_EQ(answer.sequence, i);
    if (i < kFits) {
      EXPECT_TRUE(answer.status.ok()) << answer.status;
    } else {
      EXPECT_THAT(answer.status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "of this client"));
    }
  }
}

class AnswersTest : public OverloadTest {
 protected:
  AnswersTest() {
    options_.engine.queue_rows = 1024;
    options_.limits.answer_bytes = 10000;
  }
};

TEST_F(AnswersTest, ThereIsRoomForSoManyAtATime) {
  const retrieval::Frames frames = Rows(frames_, 0, 64);  // 64 x 8 ids and distances are 6,144 bytes
  const auto stream = OpenStream();
  ASSERT_TRUE(stream->Write(0, View(frames)).ok());
  WaitUntil([&] { return service().waiting_rows() == frames.rows(); });
  const absl::Status status = client().Search("voice", View(frames)).status();
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "limits.answer_bytes"));
  EXPECT_TRUE(RetryDelay(status).has_value());
  gate_->Open();
  EXPECT_TRUE(Next(*stream).status.ok());
  WaitUntil([&] { return client().Search("voice", View(frames)).ok(); });  // once the answer is taken
  SearchParams params;
  params.k = 100;
  EXPECT_TRUE(client().Search("voice", View(frames), params).ok());  // alone, an answer may be larger than the room
}

TEST_F(OverloadTest, MoreStreamsThanTheLimitAreRefusedUntilOneEnds) {
  gate_->Open();
  std::vector<std::unique_ptr<SearchStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(OpenStream());
    ASSERT_TRUE(streams.back()->Write(1, View(block_)).ok());
    Next(*streams.back());  // it is open
  }
  const absl::Status status = Refusal(client().StreamSearch("voice"));
  EXPECT_THAT(status, FailsWith(absl::StatusCode::kResourceExhausted, "OVERLOADED", "limits.streams"));
  EXPECT_TRUE(RetryDelay(status).has_value());
  streams.pop_back();
  WaitUntil([&] {
    const auto stream = client().StreamSearch("voice");
    return stream.ok() && (*stream)->Write(1, View(block_)).ok() && (*stream)->Read().ok();
  });
  ASSERT_TRUE(streams.front()->Write(2, View(block_)).ok());
  EXPECT_TRUE(Next(*streams.front()).status.ok());
}

TEST_F(OverloadTest, AClientThatDisappearsWithBlocksUnderWayHarmsNobody) {
  for (int i = 0; i < kStreams; ++i) {  // as many as may be open: the worker is held, so that none of them ends yet
    const auto stream = OpenStream();
    for (int j = 0; j < 4; ++j) ASSERT_TRUE(stream->Write(j, View(block_)).ok());
    if (i == 0) service().WaitUntilTaken("voice");
    stream->TryCancel();
  }
  for (int i = 0; i < 10; ++i) {
    CallOptions call;
    Cancellation cancellation;
    call.cancellation = &cancellation;
    std::thread caller([&] { (void)client().Search("voice", View(block_), {}, call); });
    cancellation.Cancel();
    caller.join();
  }
  gate_->Open();
  // What was cancelled gives its room in the queue back.
  WaitUntil([&] { return client().Search("voice", View(Rows(frames_, 0, 64))).ok(); });
  const auto generation = service().Find("voice");
  WaitUntil([&] { return generation.use_count() == 2; });  // nothing of the lost ones is left
}

}  // namespace
}  // namespace kith::testing
