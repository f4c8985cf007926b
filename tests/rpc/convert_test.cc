#include "server/rpc/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "server/base/status.h"
#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

using ::testing::ElementsAre;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

v1::FloatBatch Raw(int dimension, const std::vector<float>& values) {
  v1::FloatBatch batch;
  batch.set_dimension(dimension);
  batch.set_raw(values.data(), values.size() * sizeof(float));
  return batch;
}

v1::FloatBatch Values(int dimension, const std::vector<float>& values) {
  v1::FloatBatch batch;
  batch.set_dimension(dimension);
  batch.mutable_values()->Add(values.begin(), values.end());
  return batch;
}

TEST(FramesOfTest, BothEncodingsGiveTheSameRows) {
  for (const v1::FloatBatch& batch : {Raw(2, {1, 2, 3, 4, 5, 6}), Values(2, {1, 2, 3, 4, 5, 6})}) {
    const auto frames = FramesOf(batch);
    ASSERT_TRUE(frames.ok()) << frames.status();
    EXPECT_EQ(frames->rows, 3);
    EXPECT_EQ(frames->dimension, 2);
    EXPECT_THAT(frames->values(), ElementsAre(1, 2, 3, 4, 5, 6));
  }
}

TEST(FramesOfTest, TheShortestRawBatchMayBeReadAsFloats) {
  const v1::FloatBatch batch = Raw(1, {7});  // so short that its bytes may lie inside the string object
  const auto frames = FramesOf(batch);
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(frames->data) % alignof(float), 0u);
  EXPECT_THAT(frames->values(), ElementsAre(7));
}

TEST(FramesOfTest, LargestAndSmallestFiniteValuesAreFine) {
  EXPECT_TRUE(FramesOf(Raw(3, {std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                               std::numeric_limits<float>::denorm_min()}))
                  .ok());
}

TEST(FramesOfTest, BothEncodingsAtOnceAreRefused) {
  v1::FloatBatch batch = Raw(2, {1, 2});
  batch.add_values(1);
  batch.add_values(2);
  EXPECT_THAT(FramesOf(batch).status(), IsError(Reason::kBadBatch, "raw and values are both set"));
}

TEST(FramesOfTest, NoRowsAreRefused) {
  EXPECT_THAT(FramesOf(v1::FloatBatch()).status(), IsError(Reason::kEmptyBatch, "no rows"));
  EXPECT_THAT(FramesOf(Raw(768, {})).status(), IsError(Reason::kEmptyBatch, "no rows"));
}

TEST(FramesOfTest, ADimensionBelowOneIsRefused) {
  for (const int dimension : {0, -1, std::numeric_limits<int>::min(), 65537, std::numeric_limits<int>::max()}) {
    EXPECT_THAT(FramesOf(Raw(dimension, {1, 2})).status(),
                IsError(Reason::kBadBatch, "frames.dimension: " + std::to_string(dimension)));
    EXPECT_THAT(FramesOf(Values(dimension, {1, 2})).status(), IsError(Reason::kBadBatch, "1 to 65536"));
  }
}

TEST(FramesOfTest, RawBytesThatAreNoFloatsAreRefused) {
  v1::FloatBatch batch;
  batch.set_dimension(1);
  for (const size_t size : {1, 2, 3, 5, 4095}) {
    batch.set_raw(std::string(size, '\0'));
    EXPECT_THAT(FramesOf(batch).status(), IsError(Reason::kBadBatch, std::to_string(size) + " bytes"));
  }
}

TEST(FramesOfTest, ValuesThatMakeNoWholeRowsAreRefused) {
  EXPECT_THAT(FramesOf(Raw(4, {1, 2, 3, 4, 5})).status(), IsError(Reason::kBadBatch, "5 values"));
  EXPECT_THAT(FramesOf(Values(4, {1, 2, 3, 4, 5})).status(), IsError(Reason::kBadBatch, "rows of 4"));
  EXPECT_THAT(FramesOf(Raw(65536, {1, 2})).status(), IsError(Reason::kBadBatch, "2 values"));
}

TEST(FramesOfTest, ANanOrAnInfinityIsNamedByItsRow) {
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity, std::numeric_limits<float>::signaling_NaN()}) {
    const std::vector<float> values = {0, 0, 0, 0, 0, bad, bad, 0};
    EXPECT_THAT(FramesOf(Raw(2, values)).status(), IsError(Reason::kNotFinite, "row 2 "));
    EXPECT_THAT(FramesOf(Values(2, values)).status(), IsError(Reason::kNotFinite, "row 2 "));
  }
}

TEST(FramesOfTest, FirstAndLastValueAreLookedAtToo) {
  std::vector<float> values(64 * 7);
  values.back() = kNan;
  EXPECT_THAT(FramesOf(Raw(7, values)).status(), IsError(Reason::kNotFinite, "row 63 "));
  values.front() = kNan;
  EXPECT_THAT(FramesOf(Raw(7, values)).status(), IsError(Reason::kNotFinite, "row 0 "));
}

TEST(FramesOfTest, RowsAreCountedFromWhereTheMessageBegins) {
  EXPECT_THAT(FramesOf(Raw(1, {0, kNan}), 1000).status(), IsError(Reason::kNotFinite, "row 1001 "));
}

TEST(QueriesOfTest, AsManyRowsAsTheLimitAndNoMore) {
  config::Limits limits;
  limits.rows = 3;
  EXPECT_TRUE(QueriesOf(Raw(2, std::vector<float>(6)), 2, limits).ok());
  EXPECT_THAT(QueriesOf(Raw(2, std::vector<float>(8)), 2, limits).status(),
              IsError(Reason::kBadParameter, "4 rows are too many for one message; 1 to 3"));
}

TEST(QueriesOfTest, AnotherDimensionIsRefusedWithBoth) {
  const absl::Status status = QueriesOf(Raw(256, std::vector<float>(256)), 768, config::Limits()).status();
  EXPECT_THAT(status, IsError(Reason::kDimensionMismatch, "256"));
  EXPECT_THAT(status, IsError(Reason::kDimensionMismatch, "768"));
}

TEST(MakeRoomTest, TheAnswerHasTheEncodingOfTheRequest) {
  v1::FloatBatch raw;
  float* values = MakeRoom(Raw(2, {1, 2}), 1, &raw);
  values[0] = 3;
  values[1] = 4;
  EXPECT_EQ(raw.values_size(), 0);
  EXPECT_THAT(FramesOf(raw)->values(), ElementsAre(3, 4));

  v1::FloatBatch readable;
  values = MakeRoom(Values(2, {1, 2}), 1, &readable);
  values[0] = 3;
  values[1] = 4;
  EXPECT_TRUE(readable.raw().empty());
  EXPECT_EQ(readable.dimension(), 2);
  EXPECT_THAT(readable.values(), ElementsAre(3, 4));
}

TEST(ToProtoTest, AnExperimentInItsFirstTrainingHasNameAndStateOnly) {
  experiments::Description description;
  description.record.name = "voice";
  description.state = experiments::State::kTraining;
  description.training = true;
  const v1::Experiment proto = ToProto(description);
  EXPECT_EQ(proto.name(), "voice");
  EXPECT_EQ(proto.state(), v1::Experiment::STATE_TRAINING);
  EXPECT_TRUE(proto.training());
  EXPECT_FALSE(proto.has_created());
  EXPECT_EQ(proto.generation(), 0);
}

TEST(ToProtoTest, AFailedExperimentSaysWhy) {
  experiments::Description description;
  description.state = experiments::State::kFailed;
  description.failure = Error(Reason::kStorage, "index.faiss is damaged; train again");
  const v1::Experiment proto = ToProto(description);
  EXPECT_EQ(proto.state(), v1::Experiment::STATE_FAILED);
  EXPECT_EQ(proto.message(), "index.faiss is damaged; train again");
}

TEST(ToProtoTest, EveryPhaseHasItsName) {
  using experiments::Phase;
  EXPECT_EQ(ToProto(Phase::kQueued), v1::PHASE_QUEUED);
  EXPECT_EQ(ToProto(Phase::kTraining), v1::PHASE_TRAINING);
  EXPECT_EQ(ToProto(Phase::kAdding), v1::PHASE_ADDING);
  EXPECT_EQ(ToProto(Phase::kMeasuring), v1::PHASE_MEASURING);
  EXPECT_EQ(ToProto(Phase::kSaving), v1::PHASE_SAVING);
}

TEST(RequestIdTest, HasALimit) {
  EXPECT_TRUE(CheckRequestId("").ok());
  EXPECT_TRUE(CheckRequestId(std::string(128, 'a')).ok());
  EXPECT_THAT(CheckRequestId(std::string(129, 'a')), IsError(Reason::kBadParameter, "request_id: 129 bytes"));
}

}  // namespace
}  // namespace kith::rpc
