// Frames from .npy files: folders as RVC writes them (3_feature256, 3_feature768), and single files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/context.h"
#include "client/cpp/cancellation.h"
#include "client/cpp/frame_source.h"
#include "client/cpp/types.h"

namespace kith::cli {

// The .npy files that `paths` name, in the order in which their frames count: a folder stands for its .npy files sorted
// by name, bytewise, as RVC sorts them; a file for itself. Errors name the path: NOT_FOUND, or INVALID_ARGUMENT for a
// folder without any .npy file.
absl::StatusOr<std::vector<std::string>> ListFeatureFiles(const std::vector<std::string>& paths);

// Reads one file after the other. A file whose dimension differs from the first one's is an error that names both, a
// NaN or an infinity one that names the file and the row in it. `cancellation` (may be null) is looked at between
// files.
class FeatureFiles final : public FrameSource {
 public:
  FeatureFiles(std::vector<std::string> files, const Cancellation* cancellation)
      : files_(std::move(files)), cancellation_(cancellation) {}

  absl::StatusOr<FramesView> Next() override;
  absl::Status Rewind() override;

 private:
  const std::vector<std::string> files_;
  const Cancellation* const cancellation_;
  size_t next_ = 0;
  Frames frames_;  // of the file read last
  std::string first_file_;
  int dimension_ = 0;
};

// All frames of one path at once. An error where there are none. `cancellation` as above.
absl::StatusOr<Frames> LoadFrames(const std::string& path, const Cancellation* cancellation = nullptr);

// The same, cancelled by Ctrl-C and with the time it takes on a terminal.
absl::StatusOr<Frames> LoadFrames(const std::string& path, Context& context);

}  // namespace kith::cli
