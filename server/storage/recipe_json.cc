#include "server/storage/recipe_json.h"

#include <limits>
#include <optional>
#include <string>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "server/storage/json_integer.h"

namespace kith::storage {
namespace {

using nlohmann::json;
using retrieval::BuildReport;
using retrieval::Compression;
using retrieval::Expansion;
using retrieval::Recipe;

template <class T>
json OrNull(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

template <class T>
T From(const json& value) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    return IntegerFrom<T>(value);
  } else {
    return value.get<T>();
  }
}

template <class T>
void Get(const json& object, const char* key, T* value) {
  if (const auto found = object.find(key); found != object.end()) *value = From<T>(*found);
}

template <class T>
void Get(const json& object, const char* key, std::optional<T>* value) {
  if (const auto found = object.find(key); found != object.end() && !found->is_null()) *value = From<T>(*found);
}

// JSON writes a NaN as null.
void Get(const json& object, const char* key, double* value) {
  if (const auto found = object.find(key); found != object.end()) {
    *value = found->is_null() ? std::numeric_limits<double>::quiet_NaN() : found->get<double>();
  }
}

json ToJson(const Compression& compression) {
  return {{"centres", compression.centres},
          {"batch_size", OrNull(compression.batch_size)},
          {"iterations", OrNull(compression.iterations)}};
}

void FromJson(const json& object, Compression* compression) {
  Get(object, "centres", &compression->centres);
  Get(object, "batch_size", &compression->batch_size);
  Get(object, "iterations", &compression->iterations);
}

json ToJson(const Expansion& expansion) {
  return {{"neighbors", expansion.neighbors}, {"alpha", expansion.alpha}, {"unit_norm", expansion.unit_norm}};
}

void FromJson(const json& object, Expansion* expansion) {
  Get(object, "neighbors", &expansion->neighbors);
  Get(object, "alpha", &expansion->alpha);
  Get(object, "unit_norm", &expansion->unit_norm);
}

template <class T>
void GetObject(const json& object, const char* key, std::optional<T>* value) {
  const auto found = object.find(key);
  if (found != object.end() && found->is_object()) FromJson(*found, &value->emplace());
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
          {"seed", recipe.seed},
          {"compression", recipe.compression ? ToJson(*recipe.compression) : json()},
          {"expansion", recipe.expansion ? ToJson(*recipe.expansion) : json()}};
}

json ToJson(const BuildReport& report) {
  return {{"factory", report.factory},         {"nlist", report.nlist},
          {"nprobe", report.nprobe},           {"k_factor", report.k_factor},
          {"recall_at_8", report.recall_at_8}, {"source_sha256", report.source_sha256}};
}

absl::StatusOr<Recipe> RecipeFromJson(std::string_view text) {
  return Parse<Recipe>("recipe", text, [](const json& object, Recipe* recipe) -> absl::Status {
    Get(object, "name", &recipe->name);
    Get(object, "factory", &recipe->factory);
    Get(object, "nprobe", &recipe->nprobe);
    Get(object, "k_factor", &recipe->k_factor);
    Get(object, "seed", &recipe->seed);
    GetObject(object, "compression", &recipe->compression);
    GetObject(object, "expansion", &recipe->expansion);
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
    Get(object, "source_sha256", &report->source_sha256);
    return absl::OkStatus();
  });
}

std::string Text(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace kith::storage
