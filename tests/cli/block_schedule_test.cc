#include "client/cli/stream/block_schedule.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kith::cli {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

std::vector<int64_t> AllRows(const BlockSchedule& schedule) {
  std::vector<int64_t> rows;
  for (int64_t block = 0; block < schedule.blocks(); ++block) rows.push_back(schedule.Rows(block));
  return rows;
}

TEST(BlockScheduleTest, TwelveAndThirteenFramesInTurnAt250Milliseconds) {
  const BlockSchedule schedule(milliseconds(250), 55);
  EXPECT_THAT(AllRows(schedule), ElementsAre(12, 13, 12, 13, 5));
  EXPECT_EQ(schedule.Ready(0), milliseconds(240));
  EXPECT_EQ(schedule.Ready(1), milliseconds(500));
  EXPECT_EQ(schedule.Ready(4), milliseconds(1100));  // the last block when its last frame is there
}

TEST(BlockScheduleTest, EveryFrameIsInOneBlockAndNoBlockIsEmpty) {
  for (const int block_ms : {20, 21, 39, 40, 250, 320, 1000}) {
    for (const int64_t total : {1, 12, 13, 25, 49, 50, 51, 997}) {
      const BlockSchedule schedule(milliseconds(block_ms), total);
      int64_t sum = 0;
      for (const int64_t rows : AllRows(schedule)) {
        EXPECT_GE(rows, 1) << block_ms << " ms, " << total << " rows";
        sum += rows;
      }
      EXPECT_EQ(sum, total) << block_ms << " ms";
      EXPECT_EQ(schedule.Ready(schedule.blocks() - 1), total * kFrameTime);
    }
  }
}

TEST(BlockScheduleTest, NoFramesAreNoBlocks) { EXPECT_EQ(BlockSchedule(milliseconds(250), 0).blocks(), 0); }

TEST(BlockScheduleTest, ClientsAreSpreadEvenlyOverABlocksTime) {
  std::vector<Clock::duration> phases;
  for (int client = 0; client < 4; ++client) phases.push_back(Phase(milliseconds(250), client, 4));
  EXPECT_THAT(phases, ElementsAre(milliseconds(0), std::chrono::microseconds(62500), milliseconds(125),
                                  std::chrono::microseconds(187500)));
}

}  // namespace
}  // namespace kith::cli
