// Where an index keeps its frames, and what that takes.
#include <gtest/gtest.h>

#include <string>

#include "server/retrieval/index.h"
#include "tests/retrieval/fixtures.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

using testing::SpeechLike;

int64_t FrameBytes(const Index& index) { return index.rows() * index.dimension() * int64_t{sizeof(float)}; }

TEST(FrameStoreTest, AnIvfFlatVoiceIsInMemoryOnce) {
  const Frames frames = SpeechLike(8000, 256);
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct}) {
    const auto index = MustBuild(RecipeOf("rvc", metric), frames);
    EXPECT_LE(index->bytes(), FrameBytes(*index) * 11 / 10);
    EXPECT_GE(index->bytes(), FrameBytes(*index));
  }
}

TEST(FrameStoreTest, WithCosineTheFramesAreKeptAsTheyWereGiven) {
  const Frames frames = SpeechLike(2000, 64);
  const auto index = MustBuild(RecipeOf("rvc", Metric::kCosine), frames);
  EXPECT_EQ(index->CopyFrames().values, frames.values);
}

// Row by row what was given, before and after additions, in whichever form.
TEST(FrameStoreTest, IdsStayWithTheirFrames) {
  const Frames frames = SpeechLike(kFormRows, kFormDimension);
  const Frames more = SpeechLike(333, kFormDimension, 2);
  for (const std::string& form : AllForms()) {
    SCOPED_TRACE(form);
    const auto index = MustBuild(RecipeOf(form), frames);
    EXPECT_EQ(index->CopyFrames().values, frames.values);
    ASSERT_TRUE(index->Add(more.view()).ok());
    ASSERT_TRUE(index->Add(frames.view().Slice(0, 5)).ok());  // rows that are there already
    const Frames all = Join(Join(frames.view(), more.view()).view(), frames.view().Slice(0, 5));
    EXPECT_EQ(index->CopyFrames().values, all.values);
    std::vector<float> part(size_t{3} * kFormDimension);
    index->CopyRows(kFormRows - 1, 3, part.data());
    EXPECT_TRUE(std::equal(part.begin(), part.end(), all.values.begin() + (kFormRows - 1) * kFormDimension));
  }
}

}  // namespace
}  // namespace kith::retrieval
