// A load against a server and a clock that are made up: what is counted, and from when.
#include "client/cli/bench/load_thread.h"

#include <deque>
#include <functional>
#include <utility>

#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;

TimePoint At(int64_t ms) { return TimePoint(milliseconds(ms)); }

// Takes one block at a time, in their order, and needs a millisecond for each. It does nothing from `stall` to
// `stall_end`. Time goes by only while the load waits.
class FakePort final : public LoadPort {
 public:
  TimePoint stall = At(0);
  TimePoint stall_end = At(0);
  std::function<absl::Status(int64_t)> status = [](int64_t) { return absl::OkStatus(); };
  std::function<void(TimePoint)> on_time = [](TimePoint) {};
  bool mute = false;       // never answers
  TimePoint held = At(0);  // the load's own thread is held up from then
  TimePoint held_end = At(0);
  std::vector<TimePoint> sent;
  std::vector<int> lanes;

  TimePoint Now() const override { return now_; }

  void Send(int lane, int64_t sequence, FramesView /*frames*/) override {
    sent.push_back(now_);
    lanes.push_back(lane);
    TimePoint begin = std::max(now_, free_);
    if (begin >= stall && begin < stall_end) begin = stall_end;
    free_ = begin + milliseconds(1);
    if (!mute) answers_.push_back({free_, {lane, sequence, status(sequence)}});
  }

  std::optional<BlockAnswer> Next(TimePoint until) override {
    if (answers_.empty() || answers_.front().first > until) {
      Advance(until);
      return std::nullopt;
    }
    auto [when, answer] = answers_.front();
    answers_.pop_front();
    Advance(when);
    return answer;
  }

 private:
  void Advance(TimePoint to) {
    now_ = std::max(now_, to);
    if (now_ >= held && now_ < held_end) now_ = held_end;
    on_time(now_);
  }

  TimePoint now_ = At(0);
  TimePoint free_ = At(0);
  std::deque<std::pair<TimePoint, BlockAnswer>> answers_;
};

class LoadThreadTest : public ::testing::Test {
 protected:
  // From 0 on; measured from 1 s to 11 s.
  LoadResult Run() {
    LoadThread thread(options_, frames_, 0, port_);
    thread.Run({At(0), At(1000), At(11000)}, cancellation_);
    return thread.result();
  }

  static int64_t Ms(std::chrono::nanoseconds time) {
    return std::chrono::duration_cast<milliseconds>(time + std::chrono::microseconds(500)).count();
  }

  FakePort port_;
  LoadOptions options_;
  Cancellation cancellation_;
  const Frames frames_{1, std::vector<float>(100, 1)};
};

TEST_F(LoadThreadTest, OpenLoopTimesBlocksFromWhenTheyWereDueThroughAStall) {
  options_.rate = 100;
  port_.stall = At(3000);
  port_.stall_end = At(5000);
  const LoadResult result = Run();
  EXPECT_EQ(result.blocks, 1000);
  EXPECT_EQ(result.failed(), 0);
  // 200 blocks were due in the stall, and about 20 came before the backlog was gone: a fifth of all is as late as a
  // client would have seen it, evenly up to 2 s.
  EXPECT_NEAR(Ms(result.latencies.max()), 2001, 8);
  EXPECT_NEAR(Ms(result.latencies.Percentile(90)), 1100, 150);
  EXPECT_EQ(Ms(result.latencies.Percentile(75)), 1);
}

TEST_F(LoadThreadTest, OpenLoopCountsTheTimeForWhichItWasHeldUpItself) {
  options_.rate = 100;
  port_.held = At(3000);
  port_.held_end = At(5000);
  const LoadResult result = Run();
  EXPECT_EQ(result.blocks, 1000);
  EXPECT_NEAR(Ms(result.latencies.max()), 2001, 15);
  EXPECT_NEAR(Ms(result.latencies.Percentile(90)), 1100, 150);
}

TEST_F(LoadThreadTest, ClosedLoopSeesAStallOnce) {
  port_.stall = At(3000);
  port_.stall_end = At(5000);
  const LoadResult result = Run();
  EXPECT_EQ(result.blocks, 8000);
  EXPECT_NEAR(Ms(result.latencies.max()), 2001, 8);
  EXPECT_EQ(Ms(result.latencies.Percentile(99.9)), 1);
}

TEST_F(LoadThreadTest, OpenLoopSendsEvenlyWhateverTheServerDoes) {
  options_.rate = 10;
  options_.clients = 4;
  port_.stall = At(0);
  port_.stall_end = At(8000);
  const LoadResult result = Run();
  ASSERT_EQ(port_.sent.size(), 11 * 4 * 10);
  for (size_t i = 0; i < port_.sent.size(); ++i) {
    EXPECT_EQ(port_.sent[i], At(0) + milliseconds(25) * static_cast<int>(i));
    EXPECT_EQ(port_.lanes[i], static_cast<int>(i % 4));
  }
  EXPECT_EQ(result.blocks, 400);
}

TEST_F(LoadThreadTest, AThreadHasItsShareOfTheClients) {
  options_.clients = 7;
  options_.threads = 3;
  EXPECT_EQ(ClientsOf(options_, 0), (std::vector<int>{0, 3, 6}));
  EXPECT_EQ(ClientsOf(options_, 2), (std::vector<int>{2, 5}));
}

TEST_F(LoadThreadTest, ALateServerThatDoesNotKeepUpShowsInThroughput) {
  options_.rate = 2000;  // twice what it can do
  options_.grace = absl::Seconds(60);
  const LoadResult result = Run();
  EXPECT_NEAR(static_cast<double>(result.answered_in_time), 10000, 10);
  EXPECT_EQ(result.blocks, 20000);
  EXPECT_NEAR(Ms(result.latencies.max()), 11000, 20);
}

TEST_F(LoadThreadTest, WhatIsNotAnsweredWithinTheGraceHasFailed) {
  options_.rate = 10;
  port_.mute = true;
  const LoadResult result = Run();
  EXPECT_EQ(result.blocks, 0);
  EXPECT_EQ(result.errors.at("NO_ANSWER"), 100);
  EXPECT_TRUE(result.latencies.empty());
  EXPECT_GE(port_.Now(), At(16000));
}

TEST_F(LoadThreadTest, CancellingKeepsWhatWasMeasuredAndTellsWhatWasUnderWay) {
  options_.rate = 100;
  port_.stall = At(3000);
  port_.stall_end = At(9000);
  port_.on_time = [this](TimePoint now) {
    if (now >= At(4000)) cancellation_.Cancel();
  };
  const LoadResult result = Run();
  EXPECT_NEAR(static_cast<double>(result.blocks), 200, 1);
  EXPECT_NEAR(static_cast<double>(result.under_way), 100, 2);
  EXPECT_EQ(result.failed(), 0);
}

TEST_F(LoadThreadTest, LateBlocksAreNoErrorsAndHaveNoLatency) {
  options_.rate = 100;
  options_.lane.budget = absl::Milliseconds(50);
  port_.status = [](int64_t sequence) {
    return sequence % 10 == 0 ? absl::UnavailableError("gone") : absl::OkStatus();
  };
  port_.stall = At(3000);
  port_.stall_end = At(3100);
  const LoadResult result = Run();
  EXPECT_EQ(result.errors.at("UNAVAILABLE"), 100);
  EXPECT_EQ(result.failed(), 100);
  EXPECT_EQ(result.blocks, 900);
  EXPECT_EQ(result.latencies.count(), 900);
  EXPECT_NEAR(static_cast<double>(result.late), 5, 2);  // those due in the first half of the stall
}

TEST_F(LoadThreadTest, AClosedLoopPausesAfterAnError) {
  port_.status = [](int64_t) { return absl::ResourceExhaustedError("full"); };
  const LoadResult result = Run();
  EXPECT_NEAR(static_cast<double>(result.failed()), 100, 2);  // every 101 ms instead of every ms
}

}  // namespace
}  // namespace kith::cli
