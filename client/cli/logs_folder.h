// The logs/ folder of RVC or Applio: which voices it holds, and what of each can be brought to a server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kith::cli {

struct LoggedVoice {
  enum class Action { kImport, kTrain, kSkip };

  std::string name;
  Action action = Action::kSkip;
  std::string source;  // the index file, or the features: a folder or a .npy file
  int64_t rows = 0;    // 0: not known
  int dimension = 0;   // 0: not known
  std::string why;     // kSkip: what is missing
};

// "import", "train", "skip".
const char* ActionName(LoggedVoice::Action action);

// The voices in `folder` by name. Each is a folder NAME with, the first of these that is there:
//
//   added_*.index               RVC's index, v1 or v2; of several the newest
//   NAME.index, other *.index   Applio's
//   3_feature768, 3_feature256  RVC's features
//   extracted                   Applio's
//   total_fea.npy               RVC's features in one file
//
// Folders with none of these are left out, but for one with a trained_*.index alone, which holds no vectors: it is
// kSkip. So are the sample voices mute and mute_*, which both programs ship. An error where `folder` cannot be listed.
absl::StatusOr<std::vector<LoggedVoice>> FindLoggedVoices(const std::string& folder);

}  // namespace kith::cli
