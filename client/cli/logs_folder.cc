#include "client/cli/logs_folder.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/feature_files.h"
#include "common/npy/npy.h"

namespace kith::cli {
namespace {

namespace fs = std::filesystem;

bool IsSample(const std::string& name) { return name == "mute" || absl::StartsWith(name, "mute_"); }

// How much an index file is to be preferred; 0: not at all.
int RankOf(const std::string& file_name, const std::string& voice) {
  if (!absl::EndsWith(file_name, ".index") || absl::StartsWith(file_name, "trained_")) return 0;
  if (absl::StartsWith(file_name, "added_")) return 3;
  return file_name == voice + ".index" ? 2 : 1;
}

struct IndexFiles {
  std::optional<fs::path> best;
  bool has_trained = false;
};

IndexFiles FindIndexes(const fs::path& folder, const std::string& voice) {
  IndexFiles found;
  int best_rank = 0;
  fs::file_time_type best_time;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string file_name = entry->path().filename().string();
    std::error_code ignored;
    if (!fs::is_regular_file(entry->path(), ignored)) continue;
    if (absl::StartsWith(file_name, "trained_") && absl::EndsWith(file_name, ".index")) found.has_trained = true;
    const int rank = RankOf(file_name, voice);
    const fs::file_time_type time = fs::last_write_time(entry->path(), ignored);
    if (rank == 0 || rank < best_rank || (rank == best_rank && time <= best_time)) continue;
    found.best = entry->path();
    best_rank = rank;
    best_time = time;
  }
  return found;
}

std::optional<fs::path> FindFeatures(const fs::path& folder) {
  for (const char* name : {"3_feature768", "3_feature256", "extracted"}) {
    if (ListFeatureFiles({(folder / name).string()}).ok()) return folder / name;
  }
  std::error_code ignored;
  const fs::path total = folder / "total_fea.npy";
  if (fs::is_regular_file(total, ignored)) return total;
  return std::nullopt;
}

// The shape that stands in the first bytes of every faiss index. The server reads the file in earnest.
void ReadIndexShape(LoggedVoice* voice) {
  char start[16];
  std::ifstream file(voice->source, std::ios::binary);
  if (!file.read(start, sizeof(start))) return;
  int32_t dimension = 0;
  int64_t rows = 0;
  std::memcpy(&dimension, start + 4, sizeof(dimension));
  std::memcpy(&rows, start + 8, sizeof(rows));
  if (start[0] != 'I' || dimension < 1 || rows < 0) return;
  voice->dimension = dimension;
  voice->rows = rows;
}

void ReadFeatureShape(LoggedVoice* voice) {
  const auto files = ListFeatureFiles({voice->source});
  if (!files.ok()) return;
  for (const std::string& file : *files) {
    const auto shape = npy::ReadShape(file);
    if (!shape.ok()) continue;  // the training will say what is wrong with it
    voice->rows += shape->rows;
    voice->dimension = static_cast<int>(shape->columns);
  }
}

std::optional<LoggedVoice> Look(const fs::path& folder) {
  LoggedVoice voice;
  voice.name = folder.filename().string();
  const IndexFiles indexes = FindIndexes(folder, voice.name);
  if (indexes.best) {
    voice.action = LoggedVoice::Action::kImport;
    voice.source = indexes.best->string();
    ReadIndexShape(&voice);
  } else if (const auto features = FindFeatures(folder)) {
    voice.action = LoggedVoice::Action::kTrain;
    voice.source = features->string();
    ReadFeatureShape(&voice);
  } else if (indexes.has_trained) {
    voice.why = "only a trained_*.index, which holds no vectors, and no features; make the added_*.index in RVC";
  } else {
    return std::nullopt;
  }
  return voice;
}

}  // namespace

const char* ActionName(LoggedVoice::Action action) {
  switch (action) {
    case LoggedVoice::Action::kImport:
      return "import";
    case LoggedVoice::Action::kTrain:
      return "train";
    case LoggedVoice::Action::kSkip:
      return "skip";
  }
  return "skip";
}

absl::StatusOr<std::vector<LoggedVoice>> FindLoggedVoices(const std::string& folder) {
  std::vector<LoggedVoice> voices;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_directory(ignored) || IsSample(entry->path().filename().string())) continue;
    if (auto voice = Look(entry->path())) voices.push_back(*std::move(voice));
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder, ": cannot be listed"));
  std::sort(voices.begin(), voices.end(), [](const LoggedVoice& a, const LoggedVoice& b) { return a.name < b.name; });
  return voices;
}

}  // namespace kith::cli
