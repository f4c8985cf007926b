#include "client/cli/stream/playout.h"

#include "client/cpp/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Blocks of one frame of one dimension: block i holds i, blended it is 100 + i. It is sent at 10 * i ms, due 25 ms
// later.
class PlayoutTest : public ::testing::Test {
 protected:
  static TimePoint At(int ms) { return TimePoint(milliseconds(ms)); }
  void Begin(int block) {
    playout_.Begin(block, std::make_shared<const Frames>(Frames{1, {static_cast<float>(block)}}), At(10 * block),
                   At(10 * block + 25));
  }
  void Answer(int block, int at_ms, const absl::Status& status = absl::OkStatus()) {
    playout_.Answer(block, status, Frames{1, {100.0f + static_cast<float>(block)}}, At(at_ms));
  }

  std::vector<float> played_;
  Playout playout_{[this](absl::Span<const float> rows) { played_.insert(played_.end(), rows.begin(), rows.end()); }};
};

TEST_F(PlayoutTest, AnsweredBlocksArePlayedBlended) {
  Begin(0);
  Answer(0, 5);
  Begin(1);
  Answer(1, 18);
  EXPECT_THAT(played_, ElementsAre(100, 101));
  const PlayoutCounts counts = playout_.counts();
  EXPECT_EQ(counts.blocks, 2);
  EXPECT_EQ(counts.rows, 2);
  EXPECT_EQ(counts.blended, 2);
  EXPECT_EQ(counts.bypassed, 0);
  EXPECT_DOUBLE_EQ(counts.latencies.Percentile(50), 5);
  EXPECT_DOUBLE_EQ(counts.latencies.Percentile(100), 8);
}

TEST_F(PlayoutTest, ABlockIsPlayedUnchangedWhenItIsDueAndItsAnswerIsCountedAsLate) {
  Begin(0);
  playout_.Advance(At(24));
  EXPECT_THAT(played_, IsEmpty());
  playout_.Advance(At(25));
  EXPECT_THAT(played_, ElementsAre(0));
  EXPECT_EQ(playout_.counts().late, 0);
  Answer(0, 40);
  EXPECT_THAT(played_, ElementsAre(0));
  const PlayoutCounts counts = playout_.counts();
  EXPECT_EQ(counts.late, 1);
  EXPECT_EQ(counts.bypassed, 1);
  EXPECT_EQ(counts.errors, 0);
  EXPECT_DOUBLE_EQ(counts.latencies.Percentile(50), 40);
}

TEST_F(PlayoutTest, AnAnswerPastTheDueTimeIsNotPlayedEvenIfTheBlockStillWaits) {
  Begin(0);
  Answer(0, 26);
  EXPECT_THAT(played_, ElementsAre(0));
  EXPECT_EQ(playout_.counts().late, 1);
}

TEST_F(PlayoutTest, BlocksKeepTheirOrder) {
  Begin(0);
  Begin(1);
  Answer(1, 12);
  EXPECT_THAT(played_, IsEmpty());
  playout_.Advance(At(25));
  EXPECT_THAT(played_, ElementsAre(0, 101));
}

TEST_F(PlayoutTest, WhatTheServerCallsLateIsPlayedAtOnceAndCounted) {
  Begin(0);
  Answer(0, 3, client::LocalError(absl::StatusCode::kDeadlineExceeded, "LATE", "late"));
  EXPECT_THAT(played_, ElementsAre(0));
  const PlayoutCounts counts = playout_.counts();
  EXPECT_EQ(counts.late, 1);
  EXPECT_EQ(counts.bypassed, 1);
  EXPECT_EQ(counts.errors, 0);
  EXPECT_TRUE(counts.latencies.empty());
}

TEST_F(PlayoutTest, AnotherErrorIsCountedAsAnError) {
  Begin(0);
  Answer(0, 3, absl::InternalError("broken"));
  EXPECT_THAT(played_, ElementsAre(0));
  EXPECT_EQ(playout_.counts().errors, 1);
  EXPECT_EQ(playout_.counts().first_error.message(), "broken");
  EXPECT_EQ(playout_.counts().late, 0);
}

TEST_F(PlayoutTest, ABlockThatCannotBeSentIsPlayedUnchangedAfterThoseBeforeIt) {
  Begin(0);
  Begin(1);
  playout_.Bypass(1);
  EXPECT_THAT(played_, IsEmpty());
  Answer(0, 15);
  EXPECT_THAT(played_, ElementsAre(100, 1));
  EXPECT_EQ(playout_.counts().late, 0);
}

TEST_F(PlayoutTest, ALostStreamFreesWhatItOwed) {
  Begin(0);
  Begin(1);
  EXPECT_EQ(playout_.OldestAwaited(), At(0));
  playout_.Lost();
  EXPECT_THAT(played_, ElementsAre(0, 1));
  EXPECT_EQ(playout_.OldestAwaited(), std::nullopt);
  EXPECT_EQ(playout_.NextDue(), std::nullopt);
  Answer(0, 20);  // of the broken stream, still under way
  EXPECT_EQ(playout_.counts().late, 0);
  EXPECT_EQ(playout_.counts().bypassed, 2);
}

TEST_F(PlayoutTest, TellsWhenTheNextBlockIsDue) {
  EXPECT_EQ(playout_.NextDue(), std::nullopt);
  Begin(0);
  Begin(1);
  EXPECT_EQ(playout_.NextDue(), At(25));
  playout_.Advance(At(30));
  EXPECT_EQ(playout_.NextDue(), At(35));
  EXPECT_FALSE(playout_.WaitForFewerThan(1, At(0)));
  EXPECT_TRUE(playout_.WaitForFewerThan(2, At(0)));
}

}  // namespace
}  // namespace kith::cli
