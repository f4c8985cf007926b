// Recipes and build reports as JSON: in the catalogue and in manifest.json.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "server/retrieval/recipe.h"

namespace kith::storage {

nlohmann::json ToJson(const retrieval::Recipe& recipe);
nlohmann::json ToJson(const retrieval::BuildReport& report);

// A key that is missing has the struct's default: a later version may know more of them. INVALID_ARGUMENT for what is
// not such a JSON object.
absl::StatusOr<retrieval::Recipe> RecipeFromJson(std::string_view text);
absl::StatusOr<retrieval::BuildReport> BuildReportFromJson(std::string_view text);

// The value as one line of text; bytes that are not UTF-8 become U+FFFD.
std::string Text(const nlohmann::json& value);

}  // namespace kith::storage
