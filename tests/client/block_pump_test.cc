#include "client/cpp/block_pump.h"

#include <algorithm>
#include <map>
#include <vector>

#include "client/cpp/error.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace kith {
namespace {

using std::chrono::seconds;

constexpr auto kPatience = seconds(30);

class BlockPumpTest : public ::testing::Test {
 protected:
  static LaneOptions Lane(bool unary, bool search = false) {
    LaneOptions lane;
    lane.experiment = "voice";
    lane.unary = unary;
    lane.search = search;
    return lane;
  }

  BlockAnswer Next(BlockPump& pump) {
    auto answer = pump.Next(std::chrono::steady_clock::now() + kPatience);
    if (answer) return *std::move(answer);
    ADD_FAILURE() << "no answer";
    return {};
  }

  test::FakeServer server_;
  const ClientOptions options_{server_.target()};
  const Frames block_{2, std::vector<float>(8, 5)};
};

TEST_F(BlockPumpTest, EveryBlockOfEveryLaneIsAnsweredOnce) {
  BlockPump pump(options_, 2);
  ASSERT_TRUE(pump.Connect(nullptr).ok());
  for (const bool unary : {false, true}) {
    for (const bool search : {false, true}) pump.AddLane(Lane(unary, search));
  }
  for (int64_t sequence = 1; sequence <= 100; ++sequence) {
    for (int lane = 0; lane < 4; ++lane) pump.Send(lane, sequence, block_);
  }
  std::map<int, std::vector<int64_t>> answered;
  for (int i = 0; i < 400; ++i) {
    const BlockAnswer answer = Next(pump);
    EXPECT_TRUE(answer.status.ok()) << answer.status;
    answered[answer.lane].push_back(answer.sequence);
  }
  std::vector<int64_t> all;
  for (int64_t sequence = 1; sequence <= 100; ++sequence) all.push_back(sequence);
  for (int lane = 0; lane < 4; ++lane) {
    if (lane >= 2) std::sort(answered[lane].begin(), answered[lane].end());  // calls may overtake one another
    EXPECT_EQ(answered[lane], all) << lane;
  }
  EXPECT_EQ(server_.retrieval.streams, 1);  // StreamExpand; the other is of StreamSearch
  EXPECT_FALSE(pump.Next(std::chrono::steady_clock::now()));
}

TEST_F(BlockPumpTest, ABrokenStreamFailsItsBlocksAndIsOpenedAnewByTheNextOne) {
  server_.retrieval.blocks_a_stream = 2;
  BlockPump pump(options_, 1);
  const int lane = pump.AddLane(Lane(false));
  for (int64_t sequence = 1; sequence <= 2; ++sequence) {
    pump.Send(lane, sequence, block_);
    EXPECT_TRUE(Next(pump).status.ok());
  }
  int64_t sequence = 3;
  pump.Send(lane, sequence, block_);
  EXPECT_EQ(Next(pump).status.code(), absl::StatusCode::kUnavailable);
  pump.Send(lane, ++sequence, block_);
  const BlockAnswer answer = Next(pump);
  EXPECT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.sequence, 4);
  EXPECT_EQ(server_.retrieval.streams, 2);
}

TEST_F(BlockPumpTest, ABlockThatFailsCostsThatBlockOnly) {
  server_.retrieval.block_status = [](int64_t sequence) {
    return sequence == 2 ? test::MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "too late") : grpc::Status::OK;
  };
  BlockPump pump(options_, 1);
  const int lane = pump.AddLane(Lane(false));
  for (int64_t sequence = 1; sequence <= 3; ++sequence) pump.Send(lane, sequence, block_);
  EXPECT_TRUE(Next(pump).status.ok());
  EXPECT_EQ(ErrorReason(Next(pump).status), "LATE");
  EXPECT_TRUE(Next(pump).status.ok());
  EXPECT_EQ(server_.retrieval.streams, 1);
}

TEST_F(BlockPumpTest, WithoutAServerItDoesNotConnectAndBlocksAreUnavailable) {
  BlockPump pump(ClientOptions{test::UnreachableTarget()}, 1);
  EXPECT_TRUE(IsNotReached(pump.Connect(nullptr)));
  for (const bool unary : {false, true}) {
    pump.Send(pump.AddLane(Lane(unary)), 1, block_);
    EXPECT_TRUE(IsNotReached(Next(pump).status)) << unary;
  }
}

TEST_F(BlockPumpTest, ItMayGoWhileBlocksAreUnderWay) {
  BlockPump pump(options_, 1);
  const int stream = pump.AddLane(Lane(false));
  const int unary = pump.AddLane(Lane(true));
  for (int64_t sequence = 1; sequence <= 100; ++sequence) {
    pump.Send(stream, sequence, block_);
    pump.Send(unary, sequence, block_);
  }
  Next(pump);
}

}  // namespace
}  // namespace kith
