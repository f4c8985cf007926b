#include "server/experiments/voice_maps.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "server/base/status.h"
#include "tests/experiments/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::experiments {
namespace {

class VoiceMapsTest : public ExperimentsTest {
 protected:
  VoiceMapsTest() : maps_(registry_.get()) {}

  std::shared_ptr<const VoiceMap> Made(const std::string& name) {
    std::shared_ptr<const VoiceMap> map;
    testing::WaitUntil([&] {
      map = *maps_.Find(name);
      return map != nullptr;
    });
    return map;
  }

  // As a block's way does.
  void Ask(const std::string& name, const retrieval::Frames& frames) {
    LiveFrames& live = (*Find(name))->traffic->live;
    if (live.IsWatched()) live.Note(frames.view(), Clock::now());
  }

  VoiceMaps maps_;
};

TEST_F(VoiceMapsTest, AMapIsOfTheGenerationThatServes) {
  ASSERT_TRUE(Train("anna", FramesOf(400, 1)).ok());
  const auto map = Made("anna");
  EXPECT_EQ(map->generation, 1);
  EXPECT_EQ(map->rows, 400);
  EXPECT_EQ(map->points.size(), 2 * 400);
  EXPECT_EQ(Made("anna"), map) << "is made once";
  ASSERT_TRUE(Train("anna", FramesOf(300, 2)).ok());
  EXPECT_EQ(Made("anna")->generation, 2);
  EXPECT_EQ(Made("anna")->rows, 300);
}

TEST_F(VoiceMapsTest, AVoiceThatHasGrownMuchIsMappedAnew) {
  ASSERT_TRUE(Train("anna", FramesOf(400, 1)).ok());
  const auto map = Made("anna");
  ASSERT_TRUE(Add("anna", FramesOf(50, 2).view(), std::nullopt).ok());
  EXPECT_EQ(Made("anna"), map);
  ASSERT_TRUE(Add("anna", FramesOf(100, 3).view(), std::nullopt).ok());
  EXPECT_EQ(Made("anna")->rows, 550);
}

TEST_F(VoiceMapsTest, ANewVoiceOfAnOldNameHasAMapOfItsOwn) {
  ASSERT_TRUE(Train("anna", FramesOf(400, 1)).ok());
  const auto map = Made("anna");
  ASSERT_TRUE(Delete("anna").ok());
  ASSERT_TRUE(Train("anna", FramesOf(400, 2)).ok());
  EXPECT_NE(Made("anna")->number, map->number);
  EXPECT_NE(Made("anna")->points, map->points);
}

TEST_F(VoiceMapsTest, ALargeVoiceIsMappedByASampleOfAllOfIt) {
  ASSERT_TRUE(Train("anna", FramesOf(20'000)).ok());
  EXPECT_EQ(Made("anna")->points.size(), 2 * 6000);
  EXPECT_EQ(Made("anna")->rows, 20'000);
}

TEST_F(VoiceMapsTest, NothingIsLoadedToBeLookedAt) {
  ASSERT_TRUE(Train("anna", FramesOf(400)).ok());
  const absl::Time used = registry_->Describe("anna")->last_used;
  Made("anna");
  EXPECT_EQ(registry_->Describe("anna")->last_used, used) << "looking is no use of a voice";
  ASSERT_TRUE(registry_->Unload("anna").ok());
  EXPECT_EQ(*maps_.Find("anna"), nullptr);
  EXPECT_TRUE(maps_.Live("anna", 0)->empty());
  EXPECT_EQ(registry_->Describe("anna")->generation, nullptr);
  EXPECT_EQ(ReasonOf(maps_.Find("nobody").status()), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(ReasonOf(maps_.Live("nobody", 0).status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(VoiceMapsTest, WhoeverWatchesSeesTheBlocksThatCome) {
  const retrieval::Frames frames = FramesOf(400);
  ASSERT_TRUE(Train("anna", frames).ok());
  const auto map = Made("anna");
  Ask("anna", FramesOf(16));
  EXPECT_TRUE(maps_.Live("anna", 0)->empty()) << "nobody watched when that came";
  const retrieval::Frames one{kDimension, {frames.values.begin(), frames.values.begin() + kDimension}};
  Ask("anna", one);
  Ask("anna", FramesOf(16));
  const auto live = *maps_.Live("anna", 0);
  ASSERT_EQ(live.size(), 2);
  EXPECT_EQ(live[0].points, std::vector<float>(map->points.begin(), map->points.begin() + 2));
  EXPECT_EQ(live[1].points.size(), 2 * 8) << "some of its rows";
  EXPECT_GE(live[0].age, live[1].age);
  EXPECT_EQ(maps_.Live("anna", live[0].number)->size(), 1) << "but for those that it has";
  EXPECT_TRUE(maps_.Live("anna", live[1].number)->empty());
}

TEST_F(VoiceMapsTest, FewAreWatchedAtOnce) {
  for (int i = 0; i < 9; ++i) {
    const std::string name = "voice " + std::to_string(i);
    ASSERT_TRUE(Train(name, FramesOf(60)).ok());
    Made(name);
    ASSERT_TRUE(maps_.Live(name, 0).ok());
  }
  EXPECT_FALSE((*Find("voice 0"))->traffic->live.IsWatched());
  EXPECT_TRUE((*Find("voice 1"))->traffic->live.IsWatched());
  EXPECT_TRUE((*Find("voice 8"))->traffic->live.IsWatched());
}

TEST(LiveFrames, KeepsNothingOnceTheTimeIsOver) {
  LiveFrames live;
  const TimePoint start = Clock::now();
  const retrieval::Frames frames{2, {1, 2, 3, 4}};
  EXPECT_FALSE(live.IsWatched());
  live.Watch(0, start + std::chrono::seconds(5));
  live.Note(frames.view(), start + std::chrono::seconds(4));
  EXPECT_EQ(live.Watch(0, start + std::chrono::seconds(5)).size(), 1);
  live.Note(frames.view(), start + std::chrono::seconds(5));
  EXPECT_FALSE(live.IsWatched());
  EXPECT_TRUE(live.Watch(0, start + std::chrono::seconds(9)).empty()) << "what was kept is forgotten";
  live.EndIfOver(start + std::chrono::seconds(8));
  EXPECT_TRUE(live.IsWatched());
  live.EndIfOver(start + std::chrono::seconds(9));
  EXPECT_FALSE(live.IsWatched());
}

TEST(LiveFrames, KeepsTheLastOfThem) {
  LiveFrames live;
  const TimePoint start = Clock::now();
  const retrieval::Frames frames{2, std::vector<float>(2 * 100, 1)};
  live.Watch(0, TimePoint::max());
  for (int i = 0; i < 1000; ++i) live.Note(frames.view(), start);
  const auto blocks = live.Watch(0, TimePoint::max());
  EXPECT_EQ(blocks.size(), 128);
  EXPECT_EQ(blocks.back().number, 1000);
  EXPECT_EQ(blocks.front().number, 1000 - 127);
  const retrieval::Frames large{100'000, std::vector<float>(800'000, 1)};
  for (int i = 0; i < 5; ++i) live.Note(large.view(), start);
  EXPECT_EQ(live.Watch(0, TimePoint::max()).size(), 1) << "bounded in bytes too";
}

}  // namespace
}  // namespace kith::experiments
