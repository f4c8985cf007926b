#include "client/cli/stream/link.h"

#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/cli/stream/pipe_player.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeServer;

constexpr milliseconds kLong{20000};  // longer than anything here takes

StreamLinkOptions To(const std::string& target) {
  StreamLinkOptions options;
  options.client.target = target;
  options.experiment = "voice";
  return options;
}

SharedFrames Block(float value) { return std::make_shared<const Frames>(Frames{1, {value}}); }

// Sends one block and waits until it is played.
void PlayOne(int64_t sequence, Playout& playout, StreamLink& link) {
  const TimePoint now = Clock::now();
  playout.Begin(sequence, Block(1), now, now + kLong);
  if (!link.Send(sequence, Block(1))) playout.Bypass(sequence);
  ASSERT_TRUE(playout.WaitForFewerThan(1, now + kLong));
}

TEST(StreamLinkTest, BringsBlocksToTheServerAndBack) {
  FakeServer server;
  std::vector<float> played;
  Playout playout([&](absl::Span<const float> rows) { played.insert(played.end(), rows.begin(), rows.end()); });
  StreamLink link(To(server.target()), playout);
  ASSERT_TRUE(link.WaitUntilOpen(kLong));
  PlayOne(0, playout, link);
  PlayOne(1, playout, link);
  link.Stop(kLong);
  EXPECT_EQ(played, (std::vector<float>{2, 2}));
  EXPECT_EQ(link.counts().errors, 0);
  EXPECT_EQ(link.counts().reconnects, 0);
}

TEST(StreamLinkTest, OpensTheStreamAgainAfterItBroke) {
  FakeServer server;
  server.retrieval.blocks_a_stream = 1;
  Playout playout(nullptr);
  StreamLink link(To(server.target()), playout);
  for (int64_t block = 0; link.counts().reconnects < 2; ++block) {
    ASSERT_TRUE(link.WaitUntilOpen(kLong));
    PlayOne(block, playout, link);
  }
  EXPECT_GE(link.counts().errors, 2);
  EXPECT_FALSE(link.counts().last_error.ok());
  EXPECT_GE(playout.counts().blended, 3);
}

TEST(StreamLinkTest, FindsAServerThatComesLater) {
  auto first = std::make_unique<FakeServer>();
  const int port = first->port();
  first.reset();
  Playout playout(nullptr);
  StreamLink link(To("127.0.0.1:" + std::to_string(port)), playout);
  EXPECT_FALSE(link.Send(0, Block(1)));
  FakeServer server(port);
  ASSERT_TRUE(link.WaitUntilOpen(kLong));
  PlayOne(0, playout, link);
  EXPECT_EQ(playout.counts().blended, 1);
  EXPECT_EQ(link.counts().reconnects, 0);  // there was no connection before
}

TEST(StreamLinkTest, StopsAtOnceWhereNoServerIs) {
  Playout playout(nullptr);
  StreamLink link(To(test::UnreachableTarget()), playout);
  link.Stop(kLong);
  EXPECT_EQ(link.counts().errors, 0);
}

TEST(StreamLinkTest, AResetStreamIsReplaced) {
  FakeServer server;
  Playout playout(nullptr);
  StreamLink link(To(server.target()), playout);
  ASSERT_TRUE(link.WaitUntilOpen(kLong));
  PlayOne(0, playout, link);
  link.Reset();
  int64_t block = 1;
  while (link.counts().reconnects == 0) PlayOne(block++, playout, link);
  EXPECT_EQ(link.counts().errors, 1);
}

class PipeTest : public ::testing::Test {
 protected:
  PipeTest() { EXPECT_EQ(pipe(ends_), 0); }
  ~PipeTest() override { close(ends_[0]); }
  // The input's end comes at once, from a file: as fast as it can be read.
  void FeedFile(const std::vector<float>& values) {
    std::FILE* file = std::tmpfile();
    ASSERT_EQ(std::fwrite(values.data(), sizeof(float), values.size(), file), values.size());
    std::rewind(file);
    close(ends_[1]);
    ASSERT_EQ(dup2(fileno(file), ends_[0]), ends_[0]);
    std::fclose(file);
  }
  void Feed(const std::vector<float>& values, size_t extra_bytes = 0) {
    ASSERT_TRUE(WriteFloats(ends_[1], values).ok());
    const std::string rest(extra_bytes, 'x');
    ASSERT_EQ(write(ends_[1], rest.data(), rest.size()), static_cast<ssize_t>(extra_bytes));
    close(ends_[1]);
  }
  absl::Status Play(const std::string& target, bool open, PipeOptions pipe = {-1, 2, milliseconds(250), kLong}) {
    pipe.in_fd = ends_[0];
    StreamLinkOptions options = To(target);
    options.max_queue = MostUnderWay(pipe.block_time, pipe.budget);
    StreamLink link(options, playout_);
    EXPECT_EQ(open, open && link.WaitUntilOpen(kLong));
    const absl::Status status = PipePlayer(pipe, go_on_, playout_, link).Run();
    link.Stop(kLong);
    return status;
  }

  int ends_[2];
  Cancellation go_on_;
  std::vector<float> played_;
  Playout playout_{[this](absl::Span<const float> rows) { played_.insert(played_.end(), rows.begin(), rows.end()); }};
};

TEST_F(PipeTest, RowsComeBackBlendedInOrderWithTheLastShorterBlock) {
  FakeServer server;
  std::vector<float> values(2 * 1000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  Feed(values);
  ASSERT_TRUE(Play(server.target(), /*open=*/true).ok());
  for (float& value : values) value += 1;
  EXPECT_EQ(played_, values);
  EXPECT_EQ(playout_.counts().blocks, 80);  // 12 and 13 rows in turn
  EXPECT_EQ(server.retrieval.streams, 1);
}

// 5,000 rows, with a budget that no healthy server can miss.
struct FastFeed {
  int dimension;
  int block_ms;
};
class FastPipeTest : public PipeTest, public ::testing::WithParamInterface<FastFeed> {};

TEST_P(FastPipeTest, AFeedFasterThanRealTimeWaitsForTheServerAndIsBlendedInOrder) {
  FakeServer server;
  std::vector<float> values(static_cast<size_t>(GetParam().dimension) * 5000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  FeedFile(values);
  const PipeOptions pipe{-1, GetParam().dimension, milliseconds(GetParam().block_ms), kLong};
  ASSERT_TRUE(Play(server.target(), /*open=*/true, pipe).ok());
  EXPECT_EQ(playout_.counts().bypassed, 0);
  EXPECT_EQ(playout_.counts().rows, 5000);
  for (float& value : values) value += 1;
  EXPECT_TRUE(played_ == values);
}

INSTANTIATE_TEST_SUITE_P(Feeds, FastPipeTest,
                         ::testing::Values(FastFeed{8, 250}, FastFeed{8, 20}, FastFeed{256, 250}, FastFeed{768, 20}),
                         [](const auto& info) {
                           return absl::StrCat("Dimension", info.param.dimension, "BlockMs", info.param.block_ms);
                         });

TEST_F(PipeTest, NothingIsReadAfterTheEnd) {
  Feed({1, 2, 3, 4});
  PipeOptions pipe{-1, 2, milliseconds(250), kLong};
  pipe.end = Clock::now();
  ASSERT_TRUE(Play(test::UnreachableTarget(), /*open=*/false, pipe).ok());
  EXPECT_TRUE(played_.empty());
}

TEST_F(PipeTest, RowsPassUnchangedWithoutAServer) {
  const std::vector<float> values(2 * 30, 4.5f);
  Feed(values);
  ASSERT_TRUE(Play(test::UnreachableTarget(), /*open=*/false).ok());
  EXPECT_EQ(played_, values);
  EXPECT_EQ(playout_.counts().bypassed, 3);
}

TEST_F(PipeTest, AnInputThatEndsInsideARowIsAnErrorAfterItsWholeRows) {
  FakeServer server;
  Feed({1, 2, 3, 4}, 3);
  EXPECT_EQ(Play(server.target(), /*open=*/true).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(played_, (std::vector<float>{2, 3, 4, 5}));
}

}  // namespace
}  // namespace kith::cli
