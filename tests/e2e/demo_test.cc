// The README's first command, on real frames where they are at hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/fixture.h"

namespace kith::e2e {
namespace {

TEST(DemoTest, TrainsSearchesBlendsAndStreamsRealFrames) {
  const std::string frames = KITH_SOURCE_FOLDER "/../shared/data/voice-a/3_feature768";
  if (!std::filesystem::exists(frames)) GTEST_SKIP() << "the real frames are not at hand: ../shared/data is missing";
  ProcessOptions options;
  options.environment = {"KITH_BIN=" KITH_BIN_FOLDER};
  const Finished demo = RunProgram("/bin/bash", {KITH_SOURCE_FOLDER "/scripts/demo.sh", frames}, options);
  EXPECT_EQ(demo.exit_code, 0) << demo.err << demo.out;
  for (const char* step : {"Trained", "Index     IVF", "Recall    0.9", "Search", "Expand", "Stream", "Latency"}) {
    EXPECT_THAT(demo.out, ::testing::HasSubstr(step));
  }
}

}  // namespace
}  // namespace kith::e2e
