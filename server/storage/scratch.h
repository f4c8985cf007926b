// Room for files that last no longer than what they are needed for: uploads, exports.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace kith::storage {

// A folder of its own, gone with this object. What a process leaves behind, the next start removes.
class ScratchFolder {
 public:
  // Makes one with a random name in `parent`, which exists. UNAVAILABLE STORAGE.
  static absl::StatusOr<ScratchFolder> Make(const std::string& parent);

  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&& other) noexcept;

  std::string PathOf(const std::string& file) const { return path_ + "/" + file; }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;  // empty: moved from
};

}  // namespace kith::storage
