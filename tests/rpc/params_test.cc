// Parameters of a request: defaults for what is unset, an error for what is out of range.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "server/rpc/convert.h"
#include "server/rpc/operation.h"
#include "tests/rpc/matchers.h"

namespace kith::rpc {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(SearchOptionsOfTest, UnsetFieldsAreLeftToTheExperiment) {
  const auto options = SearchOptionsOf(v1::SearchParams(), config::Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->k, 8);
  EXPECT_FALSE(options->nprobe.has_value());
  EXPECT_FALSE(options->k_factor.has_value());
}

TEST(SearchOptionsOfTest, FieldsThatAreSetArePassedOnEvenAtZero) {
  v1::SearchParams params;
  params.set_k(1);
  params.set_nprobe(0);
  params.set_k_factor(0);
  const auto options = SearchOptionsOf(params, config::Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->k, 1);
  EXPECT_EQ(options->nprobe, 0);  // the index refuses it: unset and 0 differ
  EXPECT_EQ(options->k_factor, 0.0f);
}

TEST(SearchOptionsOfTest, KIsFromOneToTheLimit) {
  v1::SearchParams params;
  for (const int k : {0, -1, 1025, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    params.set_k(k);
    EXPECT_THAT(SearchOptionsOf(params, config::Limits()).status(),
                IsError(Reason::kBadParameter, "params.k: " + std::to_string(k) + " is out of range; 1 to 1024"));
  }
  params.set_k(1024);
  EXPECT_TRUE(SearchOptionsOf(params, config::Limits()).ok());
  config::Limits tight;
  tight.k = 16;
  params.set_k(17);
  EXPECT_THAT(SearchOptionsOf(params, tight).status(), IsError(Reason::kBadParameter, "1 to 16"));
}

TEST(BlendParamsOfTest, UnsetFieldsHaveTheirDefaults) {
  const auto blend = BlendParamsOf(v1::ExpandParams());
  ASSERT_TRUE(blend.ok());
  EXPECT_EQ(blend->weighting, retrieval::Weighting::kInverseSquare);
  EXPECT_EQ(blend->alpha, 3.0f);
  EXPECT_EQ(blend->index_rate, 1.0f);
  EXPECT_FALSE(blend->include_query);
  EXPECT_FALSE(blend->unit_norm);
}

TEST(BlendParamsOfTest, AnExplicitZeroIsNotTheDefault) {
  v1::ExpandParams params;
  params.set_weighting(v1::WEIGHTING_ALPHA);
  params.set_alpha(0);
  params.set_index_rate(0);
  const auto blend = BlendParamsOf(params);
  ASSERT_TRUE(blend.ok());
  EXPECT_EQ(blend->weighting, retrieval::Weighting::kAlpha);
  EXPECT_EQ(blend->alpha, 0.0f);
  EXPECT_EQ(blend->index_rate, 0.0f);
}

TEST(BlendParamsOfTest, AWeightingThatIsNoneIsRefused) {
  v1::ExpandParams params;
  params.set_weighting(static_cast<v1::Weighting>(3));
  EXPECT_THAT(BlendParamsOf(params).status(), IsError(Reason::kBadParameter, "params.weighting: 3"));
  params.set_weighting(static_cast<v1::Weighting>(-1));
  EXPECT_THAT(BlendParamsOf(params).status(), IsError(Reason::kBadParameter, "INVERSE_SQUARE or ALPHA"));
}

TEST(BlendParamsOfTest, AlphaIsZeroOrMoreAndFinite) {
  v1::ExpandParams params;
  params.set_weighting(v1::WEIGHTING_ALPHA);
  for (const float alpha : {kNan, -0.5f, kInfinity, -kInfinity}) {
    params.set_alpha(alpha);
    EXPECT_THAT(BlendParamsOf(params).status(), IsError(Reason::kBadParameter, "params.alpha"));
  }
  params.set_alpha(1.5f);
  EXPECT_TRUE(BlendParamsOf(params).ok());
}

TEST(BlendParamsOfTest, TheIndexRateIsFromZeroToOne) {
  v1::ExpandParams params;
  for (const float rate : {kNan, -0.1f, 1.5f, kInfinity}) {
    params.set_index_rate(rate);
    EXPECT_THAT(BlendParamsOf(params).status(), IsError(Reason::kBadParameter, "params.index_rate"));
  }
  params.set_index_rate(1);
  EXPECT_TRUE(BlendParamsOf(params).ok());
}

TEST(BlendParamsOfTest, WhatBelongsToAlphaIsRefusedWithoutIt) {
  v1::ExpandParams query;
  query.set_include_query(true);
  EXPECT_THAT(BlendParamsOf(query).status(), IsError(Reason::kBadParameter, "params.include_query"));
  v1::ExpandParams unit;
  unit.set_unit_norm(true);
  EXPECT_THAT(BlendParamsOf(unit).status(), IsError(Reason::kBadParameter, "params.unit_norm"));
  query.set_weighting(v1::WEIGHTING_ALPHA);
  unit.set_weighting(v1::WEIGHTING_ALPHA);
  EXPECT_TRUE(BlendParamsOf(query).ok());
  EXPECT_TRUE(BlendParamsOf(unit).ok());
}

TEST(RecipeOfTest, AnEmptyRecipeIsTheDefaultOne) {
  const auto recipe = RecipeOf(v1::Recipe());
  ASSERT_TRUE(recipe.ok());
  EXPECT_EQ(recipe->name, "");
  EXPECT_EQ(recipe->factory, "");
  EXPECT_EQ(recipe->metric, retrieval::Metric::kL2);
  EXPECT_FALSE(recipe->nprobe.has_value());
  EXPECT_FALSE(recipe->k_factor.has_value());
  EXPECT_EQ(recipe->seed, 1234);
}

TEST(RecipeOfTest, EveryFieldIsTaken) {
  v1::Recipe proto;
  proto.set_factory("IVF10,Flat");
  proto.set_metric(v1::METRIC_COSINE);
  proto.set_nprobe(3);
  proto.set_k_factor(2.5f);
  proto.set_seed(0);
  const auto recipe = RecipeOf(proto);
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(recipe->factory, "IVF10,Flat");
  EXPECT_EQ(recipe->metric, retrieval::Metric::kCosine);
  EXPECT_EQ(recipe->nprobe, 3);
  EXPECT_EQ(recipe->k_factor, 2.5f);
  EXPECT_EQ(recipe->seed, 0);
}

TEST(RecipeOfTest, NameAndFactoryExcludeEachOther) {
  v1::Recipe recipe;
  recipe.set_name("auto");
  recipe.set_factory("Flat");
  EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "exclude each other"));
}

TEST(RecipeOfTest, AnUnknownNameIsRefusedWithThoseThereAre) {
  v1::Recipe recipe;
  recipe.set_name("rvc-2022");
  EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "'rvc-2022'"));
  EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "auto, rvc, rvc-2023, fastscan"));
}

TEST(RecipeOfTest, AMetricThatIsNoneIsRefused) {
  v1::Recipe recipe;
  recipe.set_metric(static_cast<v1::Metric>(4));
  EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "recipe.metric: 4"));
}

TEST(RecipeOfTest, CompressionAndExpansionNameTheFieldThatIsWrong) {
  const auto refused = [](auto change, const std::string& text) {
    v1::Recipe recipe;
    change(&recipe);
    EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, text));
  };
  refused([](auto* r) { r->mutable_compression(); }, "recipe.compression.centres: 0 is out of range");
  refused([](auto* r) { r->mutable_compression()->set_centres(-1); }, "recipe.compression.centres");
  refused(
      [](auto* r) {
        r->mutable_compression()->set_centres(10);
        r->mutable_compression()->set_batch_size(0);
      },
      "recipe.compression.batch_size");
  refused(
      [](auto* r) {
        r->mutable_compression()->set_centres(10);
        r->mutable_compression()->set_iterations(0);
      },
      "recipe.compression.iterations: 0 is out of range; 1 or more");
  refused([](auto* r) { r->mutable_expansion(); }, "recipe.expansion.neighbors: 0 is out of range");
  for (const float alpha : {-0.5f, kNan, kInfinity}) {
    refused(
        [=](auto* r) {
          r->mutable_expansion()->set_neighbors(5);
          r->mutable_expansion()->set_alpha(alpha);
        },
        "recipe.expansion.alpha");
  }
}

TEST(RecipeOfTest, UnsetFieldsOfCompressionAndExpansionHaveTheirDefaults) {
  v1::Recipe proto;
  proto.mutable_compression()->set_centres(10);
  proto.mutable_expansion()->set_neighbors(5);
  const auto recipe = RecipeOf(proto);
  ASSERT_TRUE(recipe.ok());
  EXPECT_EQ(recipe->compression->centres, 10);
  EXPECT_FALSE(recipe->compression->batch_size.has_value());
  EXPECT_FALSE(recipe->compression->iterations.has_value());
  EXPECT_EQ(recipe->expansion->neighbors, 5);
  EXPECT_EQ(recipe->expansion->alpha, 3.0f);
  EXPECT_FALSE(recipe->expansion->unit_norm);
}

TEST(RecipeOfTest, NprobeIsOneOrMore) {
  v1::Recipe recipe;
  for (const int nprobe : {0, -1}) {
    recipe.set_nprobe(nprobe);
    EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "recipe.nprobe"));
  }
}

TEST(RecipeOfTest, KFactorIsFromOneTo1024) {
  v1::Recipe recipe;
  for (const float k_factor : {0.5f, 0.0f, kNan, 1025.0f, kInfinity}) {
    recipe.set_k_factor(k_factor);
    EXPECT_THAT(RecipeOf(recipe).status(), IsError(Reason::kBadParameter, "recipe.k_factor"));
  }
  recipe.set_k_factor(1);
  EXPECT_TRUE(RecipeOf(recipe).ok());
}

TEST(BlockOptionsTest, ExpandTakesSearchAndBlendFromTheirFields) {
  v1::ExpandParams params;
  params.mutable_search()->set_k(3);
  params.set_index_rate(0.25f);
  const auto options = ExpandBlockOptions("voice", params, config::Limits());
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->experiment, "voice");
  EXPECT_EQ(options->search.k, 3);
  EXPECT_EQ(options->blend.index_rate, 0.25f);
  params.mutable_search()->set_k(0);
  EXPECT_THAT(ExpandBlockOptions("voice", params, config::Limits()).status(),
              IsError(Reason::kBadParameter, "params.k: 0"));
}

}  // namespace
}  // namespace kith::rpc
