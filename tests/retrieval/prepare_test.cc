#include "server/retrieval/prepare.h"

#include "server/base/status.h"
#include "server/retrieval/expansion.h"
#include "server/retrieval/kmeans.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

bool GoOn(BuildPhase, int64_t, int64_t) { return true; }
bool GoOnSteps(int64_t, int64_t) { return true; }

Recipe Preparing(std::optional<Compression> compression, std::optional<Expansion> expansion) {
  Recipe recipe;
  recipe.compression = compression;
  recipe.expansion = expansion;
  return recipe;
}

void ExpectRefused(const Recipe& recipe, int64_t rows, const std::string& field, const std::string& range) {
  const absl::Status status = PreparedRows(recipe, rows).status();
  EXPECT_EQ(ReasonOf(status), "BAD_PARAMETER");
  EXPECT_NE(status.message().find(field + ":"), std::string::npos) << status;
  EXPECT_NE(status.message().find(range), std::string::npos) << status;
  EXPECT_EQ(PrepareFrames(recipe, SpeechLike(rows, 8).view(), GoOn).status(), status);
}

TEST(PrepareTest, LeavesTheFramesWhereTheRecipeSaysNothing) {
  EXPECT_EQ(*PreparedRows({}, 100), 100);
  const auto prepared = PrepareFrames({}, SpeechLike(100, 8).view(), GoOn);
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  EXPECT_FALSE(prepared->has_value());
}

TEST(PrepareTest, CompressesFirstAndExpandsTheCentres) {
  const Frames frames = SpeechLike(500, 16);
  const Compression compression{60, {}, {}};
  const Expansion expansion{60, 2, false};  // more than the frames would need, all that the centres have
  const Recipe recipe = Preparing(compression, expansion);
  EXPECT_EQ(*PreparedRows(recipe, 500), 60);
  std::vector<BuildPhase> phases;
  const auto prepared = PrepareFrames(recipe, frames.view(), [&](BuildPhase phase, int64_t, int64_t) {
    if (phases.empty() || phases.back() != phase) phases.push_back(phase);
    return true;
  });
  ASSERT_TRUE(prepared.ok()) << prepared.status();
  const auto centres = MiniBatchKMeans(frames.view(), compression, recipe.seed, GoOnSteps);
  EXPECT_EQ((*prepared)->values, ExpandFrames(centres->view(), expansion, GoOnSteps)->values);
  EXPECT_EQ(phases, (std::vector<BuildPhase>{BuildPhase::kCompressing, BuildPhase::kExpanding}));
}

TEST(PrepareTest, NamesWhatIsOutOfRange) {
  ExpectRefused(Preparing(Compression{101, {}, {}}, {}), 100, "recipe.compression.centres", "1 to 100");
  ExpectRefused(Preparing({}, Expansion{101, 3, false}), 100, "recipe.expansion.neighbors", "1 to 100");
  ExpectRefused(Preparing(Compression{20, {}, {}}, Expansion{21, 3, false}), 100, "recipe.expansion.neighbors",
                "1 to 20");
  ExpectRefused(Preparing(Compression{0, {}, {}}, {}), 100, "recipe.compression.centres", "1 to");
  EXPECT_EQ(*PreparedRows(Preparing(Compression{100, {}, {}}, Expansion{100, 3, false}), 100), 100);
}

TEST(PrepareTest, RefusesRowsTooLargeForDistances) {
  Frames frames = SpeechLike(100, 8);
  frames.values[8 * 42] = 1e13f;
  const auto refused = PrepareFrames(Preparing(Compression{10, {}, {}}, {}), frames.view(), GoOn);
  EXPECT_EQ(ReasonOf(refused.status()), "NOT_FINITE");
  EXPECT_NE(refused.status().message().find("row 42"), std::string::npos) << refused.status();
}

TEST(PrepareTest, StopsInEitherPhase) {
  const Frames frames = SpeechLike(100, 8);
  for (const BuildPhase last : {BuildPhase::kCompressing, BuildPhase::kExpanding}) {
    const auto stopped = PrepareFrames(Preparing(Compression{10, {}, {}}, Expansion{4, 3, false}), frames.view(),
                                       [&](BuildPhase phase, int64_t, int64_t) { return phase != last; });
    EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  }
}

}  // namespace
}  // namespace kith::retrieval
