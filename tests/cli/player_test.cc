#include "client/cli/stream/player.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

class FakeLink final : public BlockLink {
 public:
  bool Send(int64_t sequence, SharedFrames frames) override {
    if (!there) return false;
    sent.push_back(sequence);
    rows.push_back(frames->rows());
    return true;
  }
  void Reset() override { ++resets; }

  bool there = true;
  std::vector<int64_t> sent;
  std::vector<int64_t> rows;
  int resets = 0;
};

// Frames of one dimension: frame i holds i. Blocks of 40 ms hold two.
class PlayerTest : public ::testing::Test {
 protected:
  static TimePoint At(int ms) { return TimePoint(milliseconds(ms)); }
  static Frames Numbered(int rows) {
    Frames frames{1, {}};
    for (int i = 0; i < rows; ++i) frames.values.push_back(static_cast<float>(i));
    return frames;
  }
  Player Make(const Frames& frames, int64_t total_rows) {
    return {frames, BlockSchedule(milliseconds(40), total_rows), At(1000), milliseconds(40), playout_, link_};
  }
  // Plays to the end, waking exactly when it asks to.
  int PlayAll(Player& player) {
    TimePoint now = At(1000);
    while (const auto wake = player.Step(now)) {
      EXPECT_GT(*wake, now);
      now = *wake;
    }
    return static_cast<int>(std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count());
  }

  FakeLink link_;
  std::vector<float> played_;
  Playout playout_{[this](absl::Span<const float> rows) { played_.insert(played_.end(), rows.begin(), rows.end()); }};
};

TEST_F(PlayerTest, SendsABlockWhenItsLastFrameIsThere) {
  const Frames frames = Numbered(5);
  Player player = Make(frames, 5);
  EXPECT_EQ(player.Step(At(1039)), At(1040));
  EXPECT_TRUE(link_.sent.empty());
  EXPECT_EQ(player.Step(At(1040)), At(1080));  // block 0 is due when block 1 is there
  EXPECT_THAT(link_.sent, ElementsAre(0));
  EXPECT_EQ(player.Step(At(1080)), At(1100));
  EXPECT_THAT(link_.sent, ElementsAre(0, 1));
  EXPECT_EQ(player.Step(At(1100)), At(1120));  // the rest of one frame
  EXPECT_THAT(link_.rows, ElementsAre(2, 2, 1));
}

TEST_F(PlayerTest, WithoutAnAnswerEverythingIsPlayedUnchangedAndOnTime) {
  const Frames frames = Numbered(5);
  Player player = Make(frames, 5);
  EXPECT_EQ(PlayAll(player), 1140);  // the last frame is there at 1100
  EXPECT_THAT(played_, ElementsAreArray(frames.values));
  EXPECT_EQ(playout_.counts().bypassed, 3);
}

TEST_F(PlayerTest, WithoutAServerBlocksPassAtOnce) {
  link_.there = false;
  const Frames frames = Numbered(4);
  Player player = Make(frames, 4);
  player.Step(At(1040));
  EXPECT_THAT(played_, ElementsAre(0, 1));
  EXPECT_EQ(player.Step(At(1080)), std::nullopt);
  EXPECT_THAT(played_, ElementsAre(0, 1, 2, 3));
}

TEST_F(PlayerTest, RepeatsTheFileUntilTheTimeIsOver) {
  link_.there = false;
  const Frames frames = Numbered(3);
  Player player = Make(frames, 8);
  PlayAll(player);
  EXPECT_THAT(played_, ElementsAre(0, 1, 2, 0, 1, 2, 0, 1));
}

TEST_F(PlayerTest, AClockThatOversleptCatchesUp) {
  const Frames frames = Numbered(8);
  Player player = Make(frames, 8);
  player.Step(At(1125));  // three blocks late at once; the first two are due already
  EXPECT_THAT(link_.sent, ElementsAre(0, 1, 2));
  EXPECT_THAT(played_, ElementsAre(0, 1, 2, 3));
}

TEST_F(PlayerTest, EndPlaysWhatWasSentAndSendsNoMore) {
  const Frames frames = Numbered(8);
  Player player = Make(frames, 8);
  player.Step(At(1040));
  player.End();
  EXPECT_EQ(player.Step(At(1079)), At(1080));
  EXPECT_EQ(player.Step(At(1080)), std::nullopt);
  EXPECT_THAT(link_.sent, ElementsAre(0));
  EXPECT_THAT(played_, ElementsAre(0, 1));
}

TEST_F(PlayerTest, AStreamThatOwesAnAnswerForSecondsIsGivenUp) {
  const Frames frames = Numbered(2);
  Player player = Make(frames, 1000);
  player.Step(At(1040));
  player.Step(At(1040 + 5000));
  EXPECT_EQ(link_.resets, 0);
  player.Step(At(1040 + 5001));
  EXPECT_EQ(link_.resets, 1);
}

}  // namespace
}  // namespace kith::cli
