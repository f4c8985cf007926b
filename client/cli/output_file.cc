#include "client/cli/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/npy/npy.h"

namespace kith::cli {

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status OutputFile::Open() {
  if (descriptor_ >= 0) return absl::OkStatus();
  if (path_.empty()) return absl::InvalidArgumentError("the name of the file to write is empty");
  struct stat info = {};
  if (stat(path_.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, S_ISDIR(info.st_mode) ? ": is a folder; give a file's name" : ": is not a plain file"));
  }
  std::string temporary = absl::StrCat(path_, ".", getpid(), ".tmp");
  descriptor_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be created"));
  temporary_ = std::move(temporary);
  return absl::OkStatus();
}

absl::Status OutputFile::Write(absl::Span<const char> bytes) {
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be written"));
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::Status OutputFile::Commit() {
  if (absl::Status opened = Open(); !opened.ok()) return opened;
  if (close(std::exchange(descriptor_, -1)) != 0 || rename(temporary_.c_str(), path_.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot be written"));
  }
  temporary_.clear();
  return absl::OkStatus();
}

absl::Status SaveFrames(FramesView frames, OutputFile& file) {
  const std::string header = npy::Header(npy::Type::kFloat32, frames.rows(), frames.dimension);
  if (absl::Status written = file.Write(header); !written.ok()) return written;
  const absl::Span<const char> bytes(reinterpret_cast<const char*>(frames.values.data()),
                                     frames.values.size() * sizeof(float));
  if (absl::Status written = file.Write(bytes); !written.ok()) return written;
  return file.Commit();
}

}  // namespace kith::cli
