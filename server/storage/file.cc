#include "server/storage/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/base/fault.h"
#include "server/base/status.h"

namespace kith::storage {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBufferBytes = size_t{64} << 10;

std::string ErrorText(int error) { return std::generic_category().message(error); }

absl::Status ReadError(const char* doing, const std::string& path, int error) {
  if (error == ENOENT) return Damage(path, "it is missing");
  if (error == EIO) return Damage(path, "the disk cannot read it");
  return Error(Reason::kStorage, absl::StrCat(doing, " ", path, ": ", ErrorText(error)));
}

template <class Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

bool IsDiskFull(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

absl::Status WriteError(const char* doing, const std::string& path, int error) {
  if (IsDiskFull(error)) {
    return Error(Reason::kStorage, absl::StrCat("the disk is full: ", doing, " ", path, ": ", ErrorText(error),
                                                "; nothing was changed; free some space and try again"));
  }
  return Error(Reason::kStorage, absl::StrCat(doing, " ", path, ": ", ErrorText(error),
                                              "; check the disk and that the server may write there"));
}

absl::Status Damage(const std::string& path, const std::string& how) {
  return Error(absl::StatusCode::kDataLoss, Reason::kStorage,
               absl::StrCat(path, " is damaged: ", how, "; ", kRepairHint));
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

int Descriptor::Reset() {
  const int fd = std::exchange(fd_, -1);
  return fd >= 0 && ::close(fd) != 0 ? errno : 0;
}

absl::StatusOr<OutputFile> OutputFile::Create(std::string path) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  const int fd = Fault("file-create") ? -1 : Retry([&] { return ::open(path.c_str(), flags, 0640); });
  if (fd < 0) return WriteError("creating", path, errno);
  return OutputFile(std::move(path), Descriptor(fd));
}

absl::Status OutputFile::Write(absl::Span<const char> bytes) {
  if (!status_.ok()) return status_;
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    status_ = Flush();
    if (status_.ok() && bytes.size() >= kBufferBytes) {
      status_ = WriteThrough(bytes);
      return status_;
    }
  }
  if (!status_.ok()) return status_;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return absl::OkStatus();
}

absl::Status OutputFile::Flush() {
  const absl::Status status = WriteThrough(buffer_);
  buffer_.clear();
  return status;
}

absl::Status OutputFile::WriteThrough(absl::Span<const char> bytes) {
  sha256_.Update(bytes.data(), bytes.size());
  size_ += static_cast<int64_t>(bytes.size());
  while (!bytes.empty()) {
    if (Fault("file-write")) return WriteError("writing", path_, errno);
    const ssize_t written = Retry([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
    if (written < 0) return WriteError("writing", path_, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::StatusOr<FileSummary> OutputFile::Finish() {
  if (status_.ok()) status_ = Flush();
  if (!status_.ok()) return status_;
  if (Fault("file-sync") || Retry([&] { return ::fsync(descriptor_.get()); }) != 0) {
    return WriteError("syncing", path_, errno);
  }
  if (const int error = descriptor_.Reset(); error != 0) return WriteError("closing", path_, error);
  return FileSummary{size_, sha256_.Finish()};
}

absl::StatusOr<InputFile> InputFile::Open(std::string path) {
  const int fd = Retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
  if (fd < 0) return ReadError("opening", path, errno);
  return InputFile(std::move(path), Descriptor(fd));
}

absl::StatusOr<int64_t> InputFile::Size() const {
  struct stat info = {};
  if (::fstat(descriptor_.get(), &info) != 0) return ReadError("reading", path_, errno);
  if (!S_ISREG(info.st_mode)) return Damage(path_, "it is not a file");
  return static_cast<int64_t>(info.st_size);
}

absl::StatusOr<size_t> InputFile::ReadThrough(absl::Span<char> out) {
  const ssize_t count = Retry([&] { return ::read(descriptor_.get(), out.data(), out.size()); });
  if (count < 0) return ReadError("reading", path_, errno);
  return static_cast<size_t>(count);
}

absl::StatusOr<size_t> InputFile::Read(absl::Span<char> out) {
  if (position_ == buffer_.size()) {
    if (out.size() >= kBufferBytes) return ReadThrough(out);
    buffer_.resize(kBufferBytes);
    position_ = 0;
    const absl::StatusOr<size_t> count = ReadThrough(absl::MakeSpan(buffer_));
    buffer_.resize(count.ok() ? *count : 0);
    if (!count.ok()) return count.status();
  }
  const size_t count = std::min(out.size(), buffer_.size() - position_);
  if (count > 0) std::memcpy(out.data(), buffer_.data() + position_, count);
  position_ += count;
  return count;
}

absl::Status InputFile::ReadExactly(absl::Span<char> out) {
  while (!out.empty()) {
    const absl::StatusOr<size_t> count = Read(out);
    if (!count.ok()) return count.status();
    if (*count == 0) return Damage(path_, "it is truncated");
    out.remove_prefix(*count);
  }
  return absl::OkStatus();
}

absl::Status InputFile::Rewind() {
  if (::lseek(descriptor_.get(), 0, SEEK_SET) != 0) return ReadError("reading", path_, errno);
  buffer_.clear();
  position_ = 0;
  return absl::OkStatus();
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return WriteError("making the folder", path, error.value());
  return absl::OkStatus();
}

absl::Status MakeFolder(const std::string& path) {
  if (Fault("folder-make") || ::mkdir(path.c_str(), 0750) != 0) return WriteError("making the folder", path, errno);
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& path) {
  const Descriptor folder(Retry([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (folder.get() < 0) return WriteError("opening the folder", path, errno);
  if (Fault("folder-sync") || Retry([&] { return ::fsync(folder.get()); }) != 0) {
    return WriteError("syncing the folder", path, errno);
  }
  return absl::OkStatus();
}

absl::Status Rename(const std::string& from, const std::string& to) {
  if (Fault("rename") || ::rename(from.c_str(), to.c_str()) != 0) return WriteError("renaming to", to, errno);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return ReadError("listing the folder", path, error.value());
  return names;
}

void RemoveFolder(const std::string& path) {
  if (Fault("folder-remove")) return;
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

}  // namespace kith::storage
