#include "server/storage/scratch.h"

#include "server/base/ids.h"
#include "server/storage/file.h"

namespace kith::storage {

absl::StatusOr<ScratchFolder> ScratchFolder::Make(const std::string& parent) {
  std::string path = parent + "/" + RandomId();
  if (absl::Status status = MakeFolder(path); !status.ok()) return status;
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  if (!path_.empty()) RemoveFolder(path_);
}

ScratchFolder& ScratchFolder::operator=(ScratchFolder&& other) noexcept {
  path_.swap(other.path_);
  return *this;
}

}  // namespace kith::storage
