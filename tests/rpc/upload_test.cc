#include "server/rpc/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

using ::testing::ElementsAre;

v1::FloatBatch Batch(int dimension, const std::vector<float>& values) {
  v1::FloatBatch batch;
  batch.set_dimension(dimension);
  batch.set_raw(values.data(), values.size() * sizeof(float));
  return batch;
}

experiments::MemoryBudget* Budget() {
  static experiments::MemoryBudget budget(1 << 20);
  return &budget;
}

Upload UploadOf(const std::vector<std::vector<float>>& messages) {
  Upload upload;
  for (const auto& values : messages) EXPECT_TRUE(upload.Append(Batch(2, values), Budget()).ok());
  return upload;
}

TEST(UploadTest, GathersTheRowsOfAllMessages) {
  const Upload upload = UploadOf({{1, 2}, {3, 4, 5, 6}});
  EXPECT_EQ(upload.rows(), 3);
  EXPECT_EQ(upload.frames().dimension, 2);
  EXPECT_THAT(upload.frames().values, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(UploadTest, ABadRowIsCountedOverAllMessages) {
  Upload upload = UploadOf({{1, 2}, {3, 4, 5, 6}});
  EXPECT_THAT(upload.Append(Batch(2, {0, 0, std::numeric_limits<float>::quiet_NaN(), 0}), Budget()),
              IsError(Reason::kNotFinite, "row 4 "));
}

TEST(UploadTest, AnotherDimensionIsRefused) {
  Upload upload = UploadOf({{1, 2}});
  EXPECT_THAT(upload.Append(Batch(3, {1, 2, 3}), Budget()),
              IsError(Reason::kDimensionMismatch, "3 dimensions follow rows of 2"));
}

TEST(UploadTest, AMessageWithoutRowsIsRefused) {
  Upload upload;
  EXPECT_THAT(upload.Append(v1::FloatBatch(), Budget()), IsError(Reason::kEmptyBatch, "no rows"));
}

TEST(UploadTest, CountsAgainstTheMemoryBudget) {
  experiments::MemoryBudget budget(100);
  {
    Upload upload;
    EXPECT_TRUE(upload.Append(Batch(2, std::vector<float>(10)), &budget).ok());
    EXPECT_EQ(budget.used(), 40);
    EXPECT_THAT(upload.Append(Batch(2, std::vector<float>(20)), &budget),
                IsError(Reason::kMemoryBudget, "this upload"));
    EXPECT_EQ(upload.rows(), 5);
  }
  EXPECT_EQ(budget.used(), 0);
}

TEST(UploadTest, TheDigestIsThatOfTheContentHoweverItIsCut) {
  const auto whole = UploadOf({{1, 2, 3, 4}}).RequestOf("id", "add");
  const auto cut = UploadOf({{1, 2}, {3, 4}}).RequestOf("id", "add");
  ASSERT_TRUE(whole && cut);
  EXPECT_EQ(whole->id, "id");
  EXPECT_EQ(whole->digest, cut->digest);
}

TEST(UploadTest, TheDigestTellsContentsApart) {
  const std::string digest = UploadOf({{1, 2, 3, 4}}).RequestOf("id", "add")->digest;
  EXPECT_NE(digest, UploadOf({{1, 2, 3, 5}}).RequestOf("id", "add")->digest);
  EXPECT_NE(digest, UploadOf({{1, 2}}).RequestOf("id", "add")->digest);
  EXPECT_NE(digest, UploadOf({{1, 2, 3, 4}}).RequestOf("id", "train")->digest);
  Upload other_shape;
  ASSERT_TRUE(other_shape.Append(Batch(4, {1, 2, 3, 4}), Budget()).ok());
  EXPECT_NE(digest, other_shape.RequestOf("id", "add")->digest);
}

TEST(UploadTest, WithoutAnIdThereIsNothingToRemember) {
  EXPECT_FALSE(UploadOf({{1, 2}}).RequestOf("", "add").has_value());
}

}  // namespace
}  // namespace kith::rpc
