// What a recipe means for N rows.
#include "server/retrieval/recipe.h"

#include <gtest/gtest.h>

#include <limits>

#include "server/base/status.h"

namespace kith::retrieval {
namespace {

Recipe Named(const std::string& name) {
  Recipe recipe;
  recipe.name = name;
  return recipe;
}

// RVC's own lines: n_ivf = min(int(16 * np.sqrt(N)), N // 39)
TEST(PlanBuildTest, RvcHasRvcsNumberOfLists) {
  const auto factory = [](int64_t rows) { return PlanBuild(Named("rvc"), rows, 768)->factory; };
  EXPECT_EQ(factory(39), "IVF1,Flat");
  EXPECT_EQ(factory(77), "IVF1,Flat");
  EXPECT_EQ(factory(78), "IVF2,Flat");
  EXPECT_EQ(factory(7253), "IVF185,Flat");
  EXPECT_EQ(factory(30000), "IVF769,Flat");
  EXPECT_EQ(factory(100000), "IVF2564,Flat");
  EXPECT_EQ(factory(1000000), "IVF16000,Flat");
  EXPECT_EQ(PlanBuild(Named("rvc"), 7253, 768)->nprobe, 1);
}

// nprobe = int(np.power(n_ivf, 0.3)), n_ivf = N // 39
TEST(PlanBuildTest, Rvc2023) {
  const BuildPlan plan = *PlanBuild(Named("rvc-2023"), 30000, 768);
  EXPECT_EQ(plan.factory, "IVF769,Flat");
  EXPECT_EQ(plan.nprobe, 7);
  EXPECT_EQ(PlanBuild(Named("rvc-2023"), 1000000, 256)->factory, "IVF25641,Flat");
  EXPECT_EQ(PlanBuild(Named("rvc-2023"), 1000000, 256)->nprobe, 21);
  EXPECT_EQ(PlanBuild(Named("rvc-2023"), 40, 256)->nprobe, 1);
}

TEST(PlanBuildTest, AutoHasRvcsListsAndAnNprobeToBeMeasured) {
  for (const Recipe& recipe : {Named("auto"), Named("")}) {
    EXPECT_EQ(PlanBuild(recipe, 30000, 768)->factory, "IVF769,Flat");
    EXPECT_EQ(PlanBuild(recipe, 30000, 768)->nprobe, std::nullopt);
  }
}

TEST(PlanBuildTest, Fastscan) {
  const BuildPlan plan = *PlanBuild(Named("fastscan"), 100000, 256);
  EXPECT_EQ(plan.factory, "IVF1264,PQ128x4fs,RFlat");
  EXPECT_EQ(plan.nprobe, std::nullopt);
  EXPECT_EQ(plan.k_factor, 4);
  EXPECT_EQ(PlanBuild(Named("fastscan"), 1000, 768)->factory, "IVF25,PQ384x4fs,RFlat");
  EXPECT_EQ(PlanBuild(Named("fastscan"), 38, 33)->factory, "Flat");
  const auto odd = PlanBuild(Named("fastscan"), 1000, 33);
  EXPECT_EQ(ReasonOf(odd.status()), "BAD_PARAMETER");
}

TEST(PlanBuildTest, BelowOneListANamedRecipeIsFlat) {
  for (const char* name : {"auto", "rvc", "rvc-2023", "fastscan"}) {
    for (const int64_t rows : {1, 2, 8, 38}) {
      EXPECT_EQ(PlanBuild(Named(name), rows, 32)->factory, "Flat");
      EXPECT_EQ(PlanBuild(Named(name), rows, 32)->nprobe, 0);
    }
    EXPECT_NE(PlanBuild(Named(name), 39, 32)->factory, "Flat");
  }
}

TEST(PlanBuildTest, TheUsersOwnParametersCount) {
  Recipe recipe = Named("rvc");
  recipe.nprobe = 5;
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->nprobe, 5);
  EXPECT_EQ(PlanBuild(recipe, 20, 768)->nprobe, 0);  // Flat has no lists, and the recipe is still what was asked for
  recipe = Named("fastscan");
  recipe.k_factor = 2.5f;
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->k_factor, 2.5f);
  recipe = {};
  recipe.factory = "IVF100,SQ8";
  recipe.nprobe = 3;
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->factory, "IVF100,SQ8");
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->nprobe, 3);
  recipe.nprobe.reset();
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->nprobe, std::nullopt);
  recipe.factory = "HNSW32";
  EXPECT_EQ(PlanBuild(recipe, 30000, 768)->nprobe, 0);
}

void ExpectRefused(const Recipe& recipe, const char* what) {
  const auto plan = PlanBuild(recipe, 1000, 32);
  EXPECT_EQ(ReasonOf(plan.status()), "BAD_PARAMETER");
  EXPECT_NE(plan.status().message().find(what), std::string::npos) << plan.status();
}

TEST(PlanBuildTest, RefusesFieldsOutOfRange) {
  ExpectRefused(Named("RVC"), "'RVC'");
  ExpectRefused(Named("flat"), "'flat'");
  Recipe recipe = Named("auto");
  recipe.factory = "Flat";
  ExpectRefused(recipe, "exclude");
  for (const int nprobe : {0, -1}) {
    recipe = Named("auto");
    recipe.nprobe = nprobe;
    ExpectRefused(recipe, "recipe.nprobe");
  }
  for (const float k_factor : {0.0f, 0.9f, -1.0f, 1025.0f, std::numeric_limits<float>::quiet_NaN()}) {
    recipe = Named("fastscan");
    recipe.k_factor = k_factor;
    ExpectRefused(recipe, "recipe.k_factor");
  }
  recipe = {};
  recipe.factory = "Flat";
  recipe.nprobe = 2;
  ExpectRefused(recipe, "recipe.nprobe");
}

TEST(MetricNameTest, GoesBothWays) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine})
    EXPECT_EQ(MetricFromName(MetricName(metric)), metric);
  EXPECT_EQ(MetricFromName("L2"), std::nullopt);
}

}  // namespace
}  // namespace kith::retrieval
