#include "server/storage/manifest.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "server/storage/json_integer.h"
#include "server/storage/recipe_json.h"

namespace kith::storage {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;

json ToJson(const FileSummary& file) { return {{"size", file.size}, {"sha256", file.sha256}}; }

FileSummary FileFromJson(const json& file) {
  return {IntegerFrom<int64_t>(file.at("size")), file.at("sha256").get<std::string>()};
}

}  // namespace

std::string ManifestText(std::string_view experiment, const GenerationInfo& info, const SnapshotFiles& files) {
  const nlohmann::ordered_json manifest = {
      {"format", kFormat},
      {"experiment", experiment},
      {"generation", info.number},
      {"created", absl::FormatTime(absl::RFC3339_full, info.created, absl::UTCTimeZone())},
      {"rows", info.rows},
      {"dimension", info.dimension},
      {"recipe", storage::ToJson(info.recipe)},
      {"report", storage::ToJson(info.report)},
      {"files", {{kIndexFile, ToJson(files.index)}, {kFramesFile, ToJson(files.frames)}}}};
  return manifest.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<SnapshotFiles> FilesFromManifest(std::string_view text) {
  try {
    const json manifest = json::parse(text);
    const int format = IntegerFrom<int>(manifest.at("format"));
    if (format > kFormat) {
      return absl::InvalidArgumentError(absl::StrCat("format ", format, " is newer than this Kith knows"));
    }
    const json& files = manifest.at("files");
    return SnapshotFiles{FileFromJson(files.at(kIndexFile)), FileFromJson(files.at(kFramesFile))};
  } catch (const json::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
}

}  // namespace kith::storage
