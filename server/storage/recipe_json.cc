#include "server/storage/recipe_json.h"

#include <limits>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace kith::storage {
namespace {

using nlohmann::json;
using retrieval::BuildReport;
using retrieval::Recipe;

template <class T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

template <class T>
void Get(const json& object, const char* key, T* value) {
  if (const auto found = object.find(key); found != object.end()) found->get_to(*value);
}

template <class T>
void Get(const json& object, const char* key, std::optional<T>* value) {
  if (const auto found = object.find(key); found != object.end() && !found->is_null()) *value = found->get<T>();
}

// JSON writes a NaN as null.
void Get(const json& object, const char* key, double* value) {
  if (const auto found = object.find(key); found != object.end()) {
    *value = found->is_null() ? std::numeric_limits<double>::quiet_NaN() : found->get<double>();
  }
}

// Runs `read` on the object in `text`; the library's exceptions end here.
template <class T, class Read>
absl::StatusOr<T> Parse(const char* what, std::string_view text, Read read) {
  try {
    const json object = json::parse(text);
    if (!object.is_object()) return absl::InvalidArgumentError(absl::StrCat(what, " is not a JSON object"));
    T value;
    const absl::Status status = read(object, &value);
    if (!status.ok()) return status;
    return value;
  } catch (const json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", error.what()));
  }
}

}  // namespace

json ToJson(const Recipe& recipe) {
  return {{"name", recipe.name},
          {"factory", recipe.factory},
          {"metric", MetricName(recipe.metric)},
          {"nprobe", OrNull(recipe.nprobe)},
          {"k_factor", OrNull(recipe.k_factor)},
          {"seed", recipe.seed}};
}

json ToJson(const BuildReport& report) {
  return {{"factory", report.factory},
          {"nlist", report.nlist},
          {"nprobe", report.nprobe},
          {"k_factor", report.k_factor},
          {"recall_at_8", report.recall_at_8}};
}

absl::StatusOr<Recipe> RecipeFromJson(std::string_view text) {
  return Parse<Recipe>("recipe", text, [](const json& object, Recipe* recipe) -> absl::Status {
    Get(object, "name", &recipe->name);
    Get(object, "factory", &recipe->factory);
    Get(object, "nprobe", &recipe->nprobe);
    Get(object, "k_factor", &recipe->k_factor);
    Get(object, "seed", &recipe->seed);
    std::string metric(MetricName(recipe->metric));
    Get(object, "metric", &metric);
    const auto known = retrieval::MetricFromName(metric);
    if (!known) return absl::InvalidArgumentError(absl::StrCat("recipe: unknown metric ", metric));
    recipe->metric = *known;
    return absl::OkStatus();
  });
}

absl::StatusOr<BuildReport> BuildReportFromJson(std::string_view text) {
  return Parse<BuildReport>("build report", text, [](const json& object, BuildReport* report) {
    Get(object, "factory", &report->factory);
    Get(object, "nlist", &report->nlist);
    Get(object, "nprobe", &report->nprobe);
    Get(object, "k_factor", &report->k_factor);
    Get(object, "recall_at_8", &report->recall_at_8);
    return absl::OkStatus();
  });
}

std::string Text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace kith::storage
