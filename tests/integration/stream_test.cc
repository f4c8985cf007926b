// StreamSearch and StreamExpand: a block costs what it costs, and its answer comes in its turn.
#include <limits>
#include <thread>

#include "client/cpp/status.h"
#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

class StreamTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
  }

  v1::StreamExpandRequest Opening(const std::string& name = "voice") {
    v1::StreamExpandRequest request;
    request.mutable_open()->set_experiment(name);
    return request;
  }
  v1::StreamExpandRequest BlockOf(int64_t sequence, const retrieval::Frames& frames) {
    v1::StreamExpandRequest request;
    request.set_sequence(sequence);
    FillRaw(frames, request.mutable_frames());
    return request;
  }

  // The block's own status.
  absl::Status Ask(RawStreamExpand& stream, const v1::StreamExpandRequest& request) {
    EXPECT_TRUE(stream->Write(request));
    v1::StreamExpandResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.sequence(), request.sequence());
    if (response.status().code() == 0) {
      EXPECT_EQ(response.frames().dimension(), request.frames().dimension());
      EXPECT_EQ(response.frames().raw().size(), request.frames().raw().size());
    } else {
      EXPECT_FALSE(response.has_frames());
    }
    return client::FromRpcStatus(response.status());
  }

  // How a stream ends that is opened like this.
  absl::Status EndOf(const v1::StreamExpandRequest& opening) {
    RawStreamExpand stream = OpenStreamExpand();
    stream->Write(opening);
    v1::StreamExpandResponse response;
    while (stream->Read(&response)) {
    }
    return stream.Finish();
  }

  const retrieval::Frames frames_ = SpeechLike(1000, 24);
};

TEST_F(StreamTest, AnswersComeInTheOrderOfTheBlocksWhateverTheirSize) {
  auto stream = client().StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  constexpr int kBlocks = 300;
  const auto block = [&](int i) { return QueriesNear(frames_, i % 50 == 0 ? 2000 : 1 + i % 20, i); };
  std::thread writer([&] {
    for (int i = 0; i < kBlocks; ++i) ASSERT_TRUE((*stream)->Write(1000 - i, View(block(i))).ok());
    (*stream)->Close();
  });
  for (int i = 0; i < kBlocks; ++i) {
    const auto answer = (*stream)->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->sequence, 1000 - i);
    ASSERT_TRUE((*answer)->status.ok()) << (*answer)->status;
    if (i % 10 == 0) {
      EXPECT_EQ((*answer)->result.ids, Search("voice", block(i)).ids);
    }
  }
  const auto end = (*stream)->Read();
  EXPECT_TRUE(end.ok() && !end->has_value()) << end.status();
  writer.join();
}

TEST_F(StreamTest, ABlockIsBlendedAsByTheUnaryCall) {
  ExpandParams params;
  params.search.k = 4;
  params.index_rate = 0.75f;
  auto stream = client().StreamExpand("voice", params);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto queries = QueriesNear(frames_, 16, 2);
  ASSERT_TRUE((*stream)->Write(1, View(queries)).ok());
  const auto answer = (*stream)->Read();
  ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
  const ExpandResult unary = Expand("voice", queries, params);
  EXPECT_EQ((*answer)->result.frames.values, unary.frames.values);
  EXPECT_EQ((*answer)->result.passthrough_rows, unary.passthrough_rows);
  EXPECT_EQ((*answer)->result.generation, 1);
}

TEST_F(StreamTest, TheFirstMessageMayHaveABlock) {
  RawStreamExpand stream = OpenStreamExpand();
  v1::StreamExpandRequest request = Opening();
  request.set_sequence(-5);
  FillValues(Rows(frames_, 0, 2), request.mutable_frames());
  ASSERT_TRUE(stream->Write(request));
  v1::StreamExpandResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.sequence(), -5);
  EXPECT_EQ(response.frames().values_size(), 48);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StreamTest, AStreamWithoutBlocksEndsInOrder) {
  auto stream = client().StreamExpand("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  (*stream)->Close();
  const auto end = (*stream)->Read();
  EXPECT_TRUE(end.ok() && !end->has_value()) << end.status();
}

TEST_F(StreamTest, ABadBlockCostsThatBlockOnly) {
  RawStreamExpand stream = OpenStreamExpand();
  ASSERT_TRUE(stream->Write(Opening()));
  const auto good = [&](int64_t sequence) { return BlockOf(sequence, Rows(frames_, 0, 16)); };
  EXPECT_TRUE(Ask(stream, good(1)).ok());
  EXPECT_THAT(Ask(stream, BlockOf(2, SpeechLike(16, 23))), IsInvalid("DIMENSION_MISMATCH", "23"));
  EXPECT_TRUE(Ask(stream, good(3)).ok());
  retrieval::Frames nan = Rows(frames_, 0, 16);
  nan.values[5 * 24] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Ask(stream, BlockOf(4, nan)), IsInvalid("NOT_FINITE", "row 5 "));
  v1::StreamExpandRequest second_open = good(5);
  second_open.mutable_open()->set_experiment("voice");
  EXPECT_THAT(Ask(stream, second_open), IsInvalid("BAD_PARAMETER", "only the first message"));
  v1::StreamExpandRequest empty;
  empty.set_sequence(6);
  EXPECT_THAT(Ask(stream, empty), IsInvalid("EMPTY_BATCH", "no rows"));
  v1::StreamExpandRequest both = good(7);
  both.mutable_frames()->add_values(1);
  EXPECT_THAT(Ask(stream, both), IsInvalid("BAD_BATCH", "both"));
  EXPECT_THAT(Ask(stream, BlockOf(8, SpeechLike(8193, 24))), IsInvalid("BAD_PARAMETER", "8193 rows"));
  EXPECT_TRUE(Ask(stream, good(9)).ok());
  stream->WritesDone();
  v1::StreamExpandResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream.Finish().ok());
}

TEST_F(StreamTest, ABadBlocksAnswerWaitsForItsTurn) {
  auto stream = client().StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(1, View(QueriesNear(frames_, 4000, 2))).ok());
  ASSERT_TRUE((*stream)->Write(2, View(SpeechLike(1, 23))).ok());
  const auto first = (*stream)->Read();
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->sequence, 1);
  const auto second = (*stream)->Read();
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_EQ((*second)->sequence, 2);
  EXPECT_THAT((*second)->status, IsInvalid("DIMENSION_MISMATCH", "23"));
}

TEST_F(StreamTest, ABadOpeningEndsTheStream) {
  EXPECT_THAT(EndOf(BlockOf(1, Rows(frames_, 0, 1))), IsInvalid("BAD_PARAMETER", "the first message"));
  EXPECT_THAT(EndOf(Opening("nobody")), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "'nobody'"));
  for (const int budget : {0, -1}) {
    v1::StreamExpandRequest opening = Opening();
    opening.mutable_open()->set_budget_ms(budget);
    EXPECT_THAT(EndOf(opening), IsInvalid("BAD_PARAMETER", "open.budget_ms"));
  }
  v1::StreamExpandRequest k = Opening();
  k.mutable_open()->mutable_params()->mutable_search()->set_k(0);
  EXPECT_THAT(EndOf(k), IsInvalid("BAD_PARAMETER", "params.k"));
  v1::StreamExpandRequest nprobe = Opening();
  nprobe.mutable_open()->mutable_params()->mutable_search()->set_nprobe(0);
  EXPECT_THAT(EndOf(nprobe), IsInvalid("BAD_PARAMETER", "params.nprobe"));
  v1::StreamExpandRequest rate = Opening();
  rate.mutable_open()->mutable_params()->set_index_rate(2);
  EXPECT_THAT(EndOf(rate), IsInvalid("BAD_PARAMETER", "params.index_rate"));
}

TEST_F(StreamTest, StreamSearchRefusesToBlend) {
  RawStreamSearch stream = OpenStreamSearch();
  v1::StreamSearchRequest request;
  request.mutable_open()->set_experiment("voice");
  request.mutable_open()->mutable_params()->set_index_rate(0.5f);
  stream->Write(request);
  v1::StreamSearchResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(stream.Finish(), IsInvalid("BAD_PARAMETER", "use StreamExpand"));
}

// Bytes that are no message end a read as a half-close does.
TEST_F(StreamTest, AMessageThatCannotBeParsedEndsTheStreamWithAnError) {
  RawStreamExpand stream = OpenStreamExpand();
  ASSERT_TRUE(stream->Write(Opening()));
  ASSERT_TRUE(stream->Write(BlockOf(1, Rows(frames_, 0, 1))));
  v1::StreamExpandRequest broken;
  broken.mutable_open()->set_experiment("\xff");  // a string has to be UTF-8
  ASSERT_TRUE(stream->Write(broken));
  v1::StreamExpandResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.status().code(), 0);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(stream.Finish(), IsInvalid("BAD_PARAMETER", "cannot be parsed"));
}

TEST_F(StreamTest, ATrainingMeanwhileShowsInTheLaterAnswers) {
  auto stream = client().StreamExpand("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto ask = [&](const retrieval::Frames& frames) {
    EXPECT_TRUE((*stream)->Write(1, View(frames)).ok());
    auto answer = (*stream)->Read();
    EXPECT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    return **std::move(answer);
  };
  EXPECT_EQ(ask(Rows(frames_, 0, 16)).result.generation, 1);
  const auto others = SpeechLike(50, 24, 9);
  Train("voice", others);
  const auto after = ask(Rows(others, 7, 1));
  EXPECT_EQ(after.result.generation, 2);
  EXPECT_EQ(after.result.frames.values, Rows(others, 7, 1).values);
  Train("voice", SpeechLike(50, 16));
  EXPECT_THAT(ask(Rows(frames_, 0, 1)).status, IsInvalid("DIMENSION_MISMATCH", "16"));
  EXPECT_EQ(ask(SpeechLike(3, 16)).result.generation, 3);
}

TEST_F(StreamTest, RowsAddedMeanwhileAreFoundByLaterBlocks) {
  SearchParams params;
  params.k = 1;
  auto stream = client().StreamSearch("voice", params);
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (int64_t i = 0; i < 5; ++i) {
    const auto row = SpeechLike(1, 24, 100 + i);
    Add("voice", row);
    ASSERT_TRUE((*stream)->Write(i, View(row)).ok());
    const auto answer = (*stream)->Read();
    ASSERT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    EXPECT_EQ((*answer)->result.ids.front(), 1000 + i);
  }
}

TEST_F(StreamTest, ADeletionMeanwhileCostsTheBlocksNotTheStream) {
  auto stream = client().StreamExpand("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto ask = [&] {
    EXPECT_TRUE((*stream)->Write(1, View(Rows(frames_, 0, 1))).ok());
    auto answer = (*stream)->Read();
    EXPECT_TRUE(answer.ok() && answer->has_value()) << answer.status();
    return (*answer)->status;
  };
  EXPECT_TRUE(ask().ok());
  ASSERT_TRUE(client().Delete("voice").ok());
  EXPECT_THAT(ask(), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "voice"));
  Train("voice", frames_);
  EXPECT_TRUE(ask().ok());
}

}  // namespace
}  // namespace kith::testing
