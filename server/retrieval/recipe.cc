#include "server/retrieval/recipe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/factory.h"

namespace kith::retrieval {
namespace {

bool IsNamed(std::string_view name) {
  return name == "auto" || name == "rvc" || name == "rvc-2023" || name == "fastscan";
}

absl::Status OutOfRange(absl::string_view field, double value, absl::string_view range) {
  return Error(Reason::kBadParameter, absl::StrCat(field, ": ", value, " is out of range; ", range));
}

absl::Status CheckCompression(const std::optional<Compression>& compression) {
  if (!compression) return absl::OkStatus();
  const auto& [centres, batch_size, iterations] = *compression;
  if (centres < 1) return OutOfRange("recipe.compression.centres", centres, "1 to the number of frames");
  if (batch_size && *batch_size < 1) return OutOfRange("recipe.compression.batch_size", *batch_size, "1 or more");
  if (iterations && *iterations < 1) return OutOfRange("recipe.compression.iterations", *iterations, "1 or more");
  return absl::OkStatus();
}

absl::Status CheckExpansion(const std::optional<Expansion>& expansion) {
  if (!expansion) return absl::OkStatus();
  if (expansion->neighbors < 1) {
    return OutOfRange("recipe.expansion.neighbors", expansion->neighbors, "1 to the number of frames");
  }
  // Written so that a NaN fails as well.
  if (!(expansion->alpha >= 0 && std::isfinite(expansion->alpha))) {
    return OutOfRange("recipe.expansion.alpha", expansion->alpha, "0 or more, and finite");
  }
  return absl::OkStatus();
}

BuildPlan PlanNamed(std::string_view name, int64_t rows, int dimension) {
  BuildPlan plan;
  const int64_t most_lists = rows / kRowsPerList;
  if (most_lists == 0) {  // IVF0 would end the process
    plan.factory = "Flat";
    plan.nprobe = 0;
    return plan;
  }
  const double root = std::sqrt(static_cast<double>(rows));
  if (name == "rvc-2023") {
    plan.factory = absl::StrCat("IVF", most_lists, ",Flat");
    plan.nprobe = std::max(1, static_cast<int>(std::pow(static_cast<double>(most_lists), 0.3)));
  } else if (name == "fastscan") {
    const int64_t nlist = std::min(static_cast<int64_t>(4 * root), most_lists);
    plan.factory = absl::StrCat("IVF", nlist, ",PQ", dimension / 2, "x4fs,RFlat");
  } else {
    const int64_t nlist = std::min(static_cast<int64_t>(16 * root), most_lists);
    plan.factory = absl::StrCat("IVF", nlist, ",Flat");
    if (name == "rvc") plan.nprobe = 1;
  }
  return plan;
}

}  // namespace

std::string_view MetricName(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return "l2";
    case Metric::kInnerProduct:
      return "inner-product";
    case Metric::kCosine:
      return "cosine";
  }
  return "l2";
}

std::optional<Metric> MetricFromName(std::string_view name) {
  for (const Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine}) {
    if (name == MetricName(metric)) return metric;
  }
  return std::nullopt;
}

absl::Status CheckRecipe(const Recipe& recipe) {
  if (!recipe.name.empty() && !recipe.factory.empty()) {
    return Error(Reason::kBadParameter, "recipe: name and factory exclude each other; give one of them");
  }
  if (!recipe.name.empty() && !IsNamed(recipe.name)) {
    return Error(Reason::kBadParameter, absl::StrCat("recipe.name: '", recipe.name,
                                                     "' is not a recipe; there are auto, rvc, rvc-2023, fastscan, or a "
                                                     "faiss factory string in recipe.factory"));
  }
  if (recipe.nprobe && *recipe.nprobe < 1) {
    return Error(Reason::kBadParameter, absl::StrCat("recipe.nprobe: ", *recipe.nprobe, " is out of range; 1 or more"));
  }
  // Written so that a NaN fails as well.
  if (recipe.k_factor && !(*recipe.k_factor >= kMinKFactor && *recipe.k_factor <= kMaxKFactor)) {
    return Error(Reason::kBadParameter, absl::StrCat("recipe.k_factor: ", *recipe.k_factor, " is out of range; ",
                                                     kMinKFactor, " to ", kMaxKFactor));
  }
  if (absl::Status status = CheckCompression(recipe.compression); !status.ok()) return status;
  return CheckExpansion(recipe.expansion);
}

absl::StatusOr<BuildPlan> PlanBuild(const Recipe& recipe, int64_t rows, int dimension) {
  if (absl::Status status = CheckRecipe(recipe); !status.ok()) return status;
  BuildPlan plan;
  if (recipe.factory.empty()) {
    const std::string_view name = recipe.name.empty() ? std::string_view("auto") : recipe.name;
    if (name == "fastscan" && dimension % 2 != 0 && rows >= kRowsPerList) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("recipe.name: fastscan needs an even dimension, not ", dimension, "; use auto"));
    }
    plan = PlanNamed(name, rows, dimension);
  } else {
    const absl::StatusOr<FactoryShape> shape = CheckFactory(recipe.factory, recipe.metric, rows, dimension);
    if (!shape.ok()) return shape.status();
    if (recipe.nprobe && !shape->has_lists) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("recipe.nprobe: '", recipe.factory, "' has no inverted lists; leave nprobe out"));
    }
    plan.factory = recipe.factory;
    if (!shape->has_lists) plan.nprobe = 0;
  }
  if (recipe.nprobe && plan.nprobe != 0) plan.nprobe = *recipe.nprobe;
  if (recipe.k_factor) plan.k_factor = *recipe.k_factor;
  return plan;
}

}  // namespace kith::retrieval
