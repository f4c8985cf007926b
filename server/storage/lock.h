// One process per data folder.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "server/storage/file.h"

namespace kith::storage {

// Holds a file's flock as long as it lives; the kernel lets go when the process ends, however it ends. The file itself
// stays: it says who holds or last held it.
class FolderLock {
 public:
  // UNAVAILABLE STORAGE that names the holder where another holds it.
  static absl::StatusOr<FolderLock> Take(const std::string& path);

 private:
  explicit FolderLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  Descriptor descriptor_;
};

}  // namespace kith::storage
