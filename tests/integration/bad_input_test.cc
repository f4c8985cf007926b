// Requests that are wrong, by Search and by Expand: code, reason and message; and the server answers right afterwards.
#include <limits>

#include "tests/integration/fixture.h"

namespace kith::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class BadInputTest : public IntegrationTest {
 protected:
  void SetUp() override {
    IntegrationTest::SetUp();
    Train("voice", frames_);
    Recipe flat;
    flat.factory = "Flat";
    Train("flat", frames_, flat);
    FillRaw(Rows(frames_, 42, 2), &good_);
  }
  void TearDown() override { EXPECT_EQ(Search("voice", Rows(frames_, 42, 1)).ids.front(), 42); }

  absl::Status SearchWith(const v1::FloatBatch& frames, const std::string& name = "voice") {
    v1::SearchRequest request;
    request.set_experiment(name);
    *request.mutable_frames() = frames;
    v1::SearchResponse response;
    return RawSearch(request, &response);
  }
  absl::Status ExpandWith(const v1::FloatBatch& frames, const std::string& name = "voice") {
    v1::ExpandRequest request;
    request.set_experiment(name);
    *request.mutable_frames() = frames;
    v1::ExpandResponse response;
    return RawExpand(request, &response);
  }
  absl::Status ExpandWith(const ExpandParams& params, const std::string& name = "voice") {
    return client().Expand(name, View(Rows(frames_, 0, 2)), params).status();
  }
  absl::Status SearchWith(const SearchParams& params, const std::string& name = "voice") {
    return client().Search(name, View(Rows(frames_, 0, 2)), params).status();
  }

  void ExpectBoth(const v1::FloatBatch& frames, const std::string& reason, const std::string& text) {
    EXPECT_THAT(SearchWith(frames), IsInvalid(reason, text));
    EXPECT_THAT(ExpandWith(frames), IsInvalid(reason, text));
  }
  void ExpectBoth(const SearchParams& params, const std::string& text, const std::string& name = "voice") {
    EXPECT_THAT(SearchWith(params, name), IsInvalid("BAD_PARAMETER", text));
    ExpandParams expand;
    expand.search = params;
    EXPECT_THAT(ExpandWith(expand, name), IsInvalid("BAD_PARAMETER", text));
  }

  const retrieval::Frames frames_ = SpeechLike(200, 16);
  v1::FloatBatch good_;
};

TEST_F(BadInputTest, AnUnknownExperiment) {
  for (const char* name : {"nobody", "", "a/b", "VOICE"}) {
    EXPECT_THAT(SearchWith(good_, name), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", name));
    EXPECT_THAT(ExpandWith(good_, name), FailsWith(absl::StatusCode::kNotFound, "EXPERIMENT_NOT_FOUND", "train it"));
  }
}

// gRPC itself answers; that it says so is all there is to ask for.
TEST_F(BadInputTest, AMessageThatCannotBeParsed) {
  EXPECT_FALSE(SearchWith(good_, "\xff").ok());
  EXPECT_FALSE(ExpandWith(good_, "\xff").ok());
}

TEST_F(BadInputTest, FramesOfAnotherDimension) {
  v1::FloatBatch frames;
  FillRaw(SpeechLike(2, 17), &frames);
  ExpectBoth(frames, "DIMENSION_MISMATCH", "17");
  ExpectBoth(frames, "DIMENSION_MISMATCH", "16");
}

TEST_F(BadInputTest, BatchesThatAreNone) {
  v1::FloatBatch both = good_;
  both.mutable_values()->Resize(32, 0);
  ExpectBoth(both, "BAD_BATCH", "both");
  v1::FloatBatch odd = good_;
  odd.mutable_raw()->pop_back();
  ExpectBoth(odd, "BAD_BATCH", "127 bytes");
  v1::FloatBatch short_of_a_value = good_;
  short_of_a_value.mutable_raw()->resize(124);
  ExpectBoth(short_of_a_value, "BAD_BATCH", "31 values");
  for (const int dimension : {0, -1}) {
    v1::FloatBatch frames = good_;
    frames.set_dimension(dimension);
    ExpectBoth(frames, "BAD_BATCH", "frames.dimension");
  }
  ExpectBoth(v1::FloatBatch(), "EMPTY_BATCH", "no rows");
  v1::FloatBatch empty;
  empty.set_dimension(16);
  ExpectBoth(empty, "EMPTY_BATCH", "no rows");
}

TEST_F(BadInputTest, NansAndInfinities) {
  for (const float bad : {kNan, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    retrieval::Frames frames = Rows(frames_, 0, 10);
    frames.values[7 * 16 + 3] = bad;
    v1::FloatBatch raw;
    FillRaw(frames, &raw);
    ExpectBoth(raw, "NOT_FINITE", "row 7 ");
    v1::FloatBatch values;
    FillValues(frames, &values);
    ExpectBoth(values, "NOT_FINITE", "row 7 ");
  }
}

TEST_F(BadInputTest, MoreRowsThanAMessageMayHave) {
  v1::FloatBatch frames;
  FillRaw(SpeechLike(8193, 16), &frames);
  ExpectBoth(frames, "BAD_PARAMETER", "8193 rows are too many for one message; 1 to 8192");
  FillRaw(SpeechLike(8192, 16), &frames);
  EXPECT_TRUE(SearchWith(frames).ok());
}

TEST_F(BadInputTest, KOutOfItsRange) {
  for (const int k : {0, -1, 1025}) {
    SearchParams params;
    params.k = k;
    ExpectBoth(params, "params.k: " + std::to_string(k) + " is out of range; 1 to 1024");
  }
}

TEST_F(BadInputTest, NprobeOutOfItsRangeOrForAnIndexWithoutLists) {
  SearchParams params;
  for (const int nprobe : {0, -5}) {
    params.nprobe = nprobe;
    ExpectBoth(params, "params.nprobe: " + std::to_string(nprobe) + " is out of range");
  }
  params.nprobe = 1;
  ExpectBoth(params, "no inverted lists; leave nprobe out", "flat");
}

TEST_F(BadInputTest, KFactorOutOfItsRangeOrForAnIndexThatDoesNotReRank) {
  Recipe recipe;
  recipe.factory = "IVF4,PQ8x4fs,RFlat";
  Train("refined", frames_, recipe);
  SearchParams params;
  for (const float k_factor : {0.0f, 0.5f, 1025.0f, kNan}) {
    params.k_factor = k_factor;
    ExpectBoth(params, "params.k_factor", "refined");
  }
  params.k_factor = 4;
  ExpectBoth(params, "does not re-rank; leave k_factor out");
}

TEST_F(BadInputTest, BlendingParametersOutOfTheirRange) {
  ExpandParams rate;
  rate.index_rate = 1.5f;
  EXPECT_THAT(ExpandWith(rate), IsInvalid("BAD_PARAMETER", "params.index_rate: 1.5"));
  rate.index_rate = kNan;
  EXPECT_THAT(ExpandWith(rate), IsInvalid("BAD_PARAMETER", "params.index_rate"));
  ExpandParams alpha;
  alpha.weighting = Weighting::kAlpha;
  alpha.alpha = -1;
  EXPECT_THAT(ExpandWith(alpha), IsInvalid("BAD_PARAMETER", "params.alpha: -1"));
  ExpandParams query;
  query.include_query = true;
  EXPECT_THAT(ExpandWith(query), IsInvalid("BAD_PARAMETER", "WEIGHTING_ALPHA only"));

  v1::ExpandRequest request;
  request.set_experiment("voice");
  *request.mutable_frames() = good_;
  request.mutable_params()->set_weighting(static_cast<v1::Weighting>(7));
  v1::ExpandResponse response;
  EXPECT_THAT(RawExpand(request, &response), IsInvalid("BAD_PARAMETER", "params.weighting: 7"));
}

class MessageLimitTest : public BadInputTest {
 protected:
  MessageLimitTest() { options_.limits.message_bytes = 65536; }
};

TEST_F(MessageLimitTest, AMessageAboveTheLimitIsRefused) {
  v1::FloatBatch frames;
  FillRaw(SpeechLike(1025, 16), &frames);
  EXPECT_THAT(SearchWith(frames), FailsWith(absl::StatusCode::kResourceExhausted, "", "larger than max"));
  EXPECT_THAT(ExpandWith(frames), FailsWith(absl::StatusCode::kResourceExhausted, "", "larger than max"));
  FillRaw(SpeechLike(1000, 16), &frames);
  EXPECT_TRUE(SearchWith(frames).ok());
}

TEST_F(MessageLimitTest, AnAnswerMayBeLarger) {
  SearchParams params;
  params.k = 1024;
  EXPECT_EQ(Search("voice", frames_, params).ids.size(), 200u * 1024);
}

TEST_F(MessageLimitTest, InAStreamItEndsTheStream) {
  RawStreamSearch stream = OpenStreamSearch();
  v1::StreamSearchRequest request;
  request.mutable_open()->set_experiment("voice");
  ASSERT_TRUE(stream->Write(request));
  request.Clear();
  FillRaw(SpeechLike(1025, 16), request.mutable_frames());
  stream->Write(request);
  v1::StreamSearchResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_THAT(stream.Finish(), FailsWith(absl::StatusCode::kResourceExhausted, "", "larger than max"));
}

}  // namespace
}  // namespace kith::testing
