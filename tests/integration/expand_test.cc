// Expand over the wire gives what the index and the blend give.
#include <cmath>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

class ExpandTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    here_ = BuildHere({}, frames_);
  }

  std::vector<float> ExpandHere(const retrieval::Frames& queries, const retrieval::BlendParams& params,
                                int64_t* passed_through) {
    std::vector<float> out(queries.values.size());
    *passed_through = here_->Blend(queries.view(), SearchHere(*here_, queries), params, out.data());
    return out;
  }

  const retrieval::Frames frames_ = SpeechLike(1000, 24);
  std::unique_ptr<retrieval::Index> here_;
};

TEST_F(ExpandTest, GivesWhatIndexAndBlendGive) {
  const auto queries = QueriesNear(frames_, 100, 2);
  for (const float rate : {0.0f, 0.5f, 1.0f}) {
    for (const bool alpha : {false, true}) {
      ExpandParams params;
      params.index_rate = rate;
      retrieval::BlendParams blend;
      blend.index_rate = rate;
      if (alpha) {
        params.weighting = Weighting::kAlpha;
        params.alpha = 2.0f;
        params.include_query = params.unit_norm = true;
        blend = {retrieval::Weighting::kAlpha, 2.0f, rate, true, true};
      }
      int64_t passed_through = 0;
      const auto expected = ExpandHere(queries, blend, &passed_through);
      const ExpandResult blended = Expand("voice", queries, params);
      EXPECT_EQ(blended.frames.dimension, 24);
      EXPECT_EQ(blended.passthrough_rows, passed_through);
      EXPECT_EQ(blended.generation, 1);
      ExpectNear(blended.frames.values, expected);
    }
  }
}

TEST_F(ExpandTest, TheAnswerHasTheEncodingOfTheRequest) {
  const auto queries = QueriesNear(frames_, 5, 2);
  const ExpandResult expected = Expand("voice", queries);
  v1::ExpandRequest request;
  request.set_experiment("voice");
  FillRaw(queries, request.mutable_frames());
  v1::ExpandResponse raw;
  ASSERT_TRUE(RawExpand(request, &raw).ok());
  EXPECT_EQ(raw.frames().values_size(), 0);
  ASSERT_EQ(raw.frames().raw().size(), queries.values.size() * sizeof(float));

  request.clear_frames();
  FillValues(queries, request.mutable_frames());
  v1::ExpandResponse readable;
  ASSERT_TRUE(RawExpand(request, &readable).ok());
  EXPECT_TRUE(readable.frames().raw().empty());
  EXPECT_EQ(readable.frames().dimension(), 24);
  EXPECT_EQ(std::vector<float>(readable.frames().values().begin(), readable.frames().values().end()),
            expected.frames.values);
}

TEST_F(ExpandTest, AtRateZeroTheFramesComeBack) {
  const auto queries = QueriesNear(frames_, 20, 2);
  ExpandParams params;
  params.index_rate = 0.0f;
  EXPECT_EQ(Expand("voice", queries, params).frames.values, queries.values);
}

TEST_F(ExpandTest, AStoredFrameGivesItself) {
  EXPECT_EQ(Expand("voice", Rows(frames_, 100, 50)).frames.values, Rows(frames_, 100, 50).values);
}

TEST_F(ExpandTest, FewerRowsThanNeighboursAreEnough) {
  const auto three = SpeechLike(3, 8);
  Train("small", three);
  const auto queries = SpeechLike(4, 8, 2);
  ExpandParams params;
  params.search.k = 100;
  const ExpandResult blended = Expand("small", queries, params);
  EXPECT_EQ(blended.passthrough_rows, 0);
  for (const float value : blended.frames.values) ASSERT_TRUE(std::isfinite(value));
  params.search.k = 3;
  EXPECT_EQ(Expand("small", queries, params).frames.values, blended.frames.values);
}

TEST_F(ExpandTest, RowsWithoutNeighboursPassThroughAndAreCounted) {
  retrieval::Frames queries = QueriesNear(frames_, 3, 2);
  for (int j = 0; j < 24; ++j) queries.values[24 + j] = 3e38f;
  const ExpandResult blended = Expand("voice", queries);
  EXPECT_EQ(blended.passthrough_rows, 1);
  EXPECT_EQ(std::vector<float>(blended.frames.values.begin() + 24, blended.frames.values.begin() + 48),
            Rows(queries, 1, 1).values);
}

TEST_F(ExpandTest, ACosineVoiceKeepsItsNorms) {
  retrieval::Frames frames = frames_;
  for (float& value : frames.values) value *= 9;
  Recipe recipe;
  recipe.metric = Metric::kCosine;
  Train("cosine", frames, recipe);
  EXPECT_EQ(Expand("cosine", Rows(frames, 7, 1)).frames.values, Rows(frames, 7, 1).values);
}

}  // namespace
}  // namespace kith::testing
