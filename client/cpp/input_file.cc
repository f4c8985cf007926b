#include "client/cpp/input_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kith::client {
namespace {

absl::Status FileError(const std::string& path, int error, const char* what) {
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": ", what));
}

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path, const char* advice) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return FileError(path, errno, "cannot be opened");
  if (!S_ISREG(info.st_mode)) {  // before it is opened: a pipe would wait for its other end
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no plain file; ", advice));
  }
  if (info.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty; ", advice));
  std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return FileError(path, errno, "cannot be opened");
  return InputFile(path, info.st_size, std::move(file));
}

absl::StatusOr<size_t> InputFile::Read(absl::Span<char> out) {
  const size_t count = std::fread(out.data(), 1, out.size(), file_.get());
  if (count < out.size() && std::ferror(file_.get()) != 0) return FileError(path_, errno, "cannot be read");
  return count;
}

absl::StatusOr<std::string> InputFile::Head(size_t count) {
  std::string head(count, '\0');
  const absl::StatusOr<size_t> got = Read(absl::MakeSpan(head));
  if (!got.ok()) return got.status();
  head.resize(*got);
  std::rewind(file_.get());
  return head;
}

ByteSource InputFile::Source() {
  return [this](absl::Span<char> out) { return Read(out); };
}

}  // namespace kith::client
