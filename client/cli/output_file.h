// A file that is there whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "client/cpp/types.h"

namespace kith::cli {

// Written beside `path` under another name and renamed at the end, in place of what was there; gone without Commit.
// Errors name the path.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Open();  // before long work, so that a bad path fails first; otherwise the first Write does it
  absl::Status Write(absl::Span<const char> bytes);
  absl::Status Commit();

 private:
  const std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

// All of a .npy file: `frames`, then Commit.
absl::Status SaveFrames(FramesView frames, OutputFile& file);

}  // namespace kith::cli
