#include "server/storage/recipe_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace kith::storage {
namespace {

TEST(RecipeJsonTest, GivesBackEveryField) {
  retrieval::Recipe recipe;
  recipe.name = "fastscan";
  recipe.metric = retrieval::Metric::kInnerProduct;
  recipe.nprobe = 12;
  recipe.k_factor = 0.1f;
  recipe.seed = std::numeric_limits<int64_t>::min();
  recipe.compression = retrieval::Compression{10000, 512, std::nullopt};
  recipe.expansion = retrieval::Expansion{7, 2.5f, true};
  const auto read = RecipeFromJson(Text(ToJson(recipe)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, recipe.name);
  EXPECT_EQ(read->factory, recipe.factory);
  EXPECT_EQ(read->metric, recipe.metric);
  EXPECT_EQ(read->nprobe, recipe.nprobe);
  EXPECT_EQ(read->k_factor, recipe.k_factor);
  EXPECT_EQ(read->seed, recipe.seed);
  ASSERT_TRUE(read->compression.has_value());
  EXPECT_EQ(read->compression->centres, 10000);
  EXPECT_EQ(read->compression->batch_size, 512);
  EXPECT_EQ(read->compression->iterations, std::nullopt);
  ASSERT_TRUE(read->expansion.has_value());
  EXPECT_EQ(read->expansion->neighbors, 7);
  EXPECT_EQ(read->expansion->alpha, 2.5f);
  EXPECT_TRUE(read->expansion->unit_norm);

  retrieval::BuildReport report;
  report.factory = "IVF64,PQ8x4fs,RFlat";
  report.nlist = 64;
  report.nprobe = 3;
  report.k_factor = 4.7f;
  report.recall_at_8 = 1.0 / 3;
  report.source_sha256 = "ab12";
  const auto read_report = BuildReportFromJson(Text(ToJson(report)));
  ASSERT_TRUE(read_report.ok()) << read_report.status();
  EXPECT_EQ(read_report->factory, report.factory);
  EXPECT_EQ(read_report->nlist, report.nlist);
  EXPECT_EQ(read_report->nprobe, report.nprobe);
  EXPECT_EQ(read_report->k_factor, report.k_factor);
  EXPECT_EQ(read_report->recall_at_8, report.recall_at_8);
  EXPECT_EQ(read_report->source_sha256, report.source_sha256);
}

TEST(RecipeJsonTest, ARecallThatWasNotMeasuredStaysNotANumber) {
  retrieval::BuildReport report;
  report.recall_at_8 = std::numeric_limits<double>::quiet_NaN();
  const auto read = BuildReportFromJson(Text(ToJson(report)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(std::isnan(read->recall_at_8));
}

TEST(RecipeJsonTest, MissingKeysHaveTheirDefaultsAndUnknownOnesAreIgnored) {
  const auto read = RecipeFromJson(R"({"name": "rvc", "of a later version": [1]})");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "rvc");
  EXPECT_EQ(read->seed, 1234);
  EXPECT_EQ(read->nprobe, std::nullopt);
  EXPECT_FALSE(read->compression.has_value());
  EXPECT_FALSE(read->expansion.has_value());
}

TEST(RecipeJsonTest, RefusesWhatIsNoRecipe) {
  for (const char* text : {"", "[]", "{", R"({"seed": "x"})", R"({"metric": "hamming"})", R"({"nprobe": {}})"}) {
    EXPECT_EQ(RecipeFromJson(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(BuildReportFromJson(R"({"nlist": "x"})").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(RecipeJsonTest, ANumberThatThereIsNoRoomForIsAnError) {
  for (const char* number : {"1e95", "3000000000", "-3000000000", "1.5", "18446744073709551615", "true", "\"7\""}) {
    const auto read = BuildReportFromJson(absl::StrCat(R"({"nprobe": )", number, "}"));
    EXPECT_FALSE(read.ok()) << number;
    EXPECT_FALSE(RecipeFromJson(absl::StrCat(R"({"nprobe": )", number, "}")).ok()) << number;
    EXPECT_FALSE(RecipeFromJson(absl::StrCat(R"({"expansion": {"neighbors": )", number, "}}")).ok()) << number;
  }
  const auto largest = BuildReportFromJson(R"({"nprobe": 2147483647})");
  ASSERT_TRUE(largest.ok()) << largest.status();
  EXPECT_EQ(largest->nprobe, 2147483647);
}

}  // namespace
}  // namespace kith::storage
