// A file that is there whole or not at all.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace kith::cli {

// Written beside `path` under another name and renamed at the end, in place of what was there; gone without Commit.
// Errors name the path.
class OutputFile {
 public:
  explicit OutputFile(std::string path) : path_(std::move(path)) {}
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  absl::Status Write(absl::Span<const char> bytes);  // the first one makes the file
  absl::Status Commit();

 private:
  absl::Status Open();

  const std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace kith::cli
