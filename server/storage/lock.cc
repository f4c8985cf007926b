#include "server/storage/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::storage {
namespace {

std::string Holder(int fd) {
  char text[256];
  const ssize_t count = ::pread(fd, text, sizeof(text), 0);
  const std::string holder(absl::StripAsciiWhitespace({text, count > 0 ? static_cast<size_t>(count) : 0}));
  return holder.empty() ? "another process" : holder;
}

// For people only: a disk that is too full for it does not keep the server from starting.
void WriteOwnName(int fd) {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  const std::string name = absl::StrCat("process ", ::getpid(), " on host ", host, "\n");
  [[maybe_unused]] const bool written =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, name.data(), name.size(), 0) == static_cast<ssize_t>(name.size());
}

}  // namespace

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& path) {
  Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (descriptor.get() < 0) return WriteError("opening the lock", path, errno);
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return WriteError("locking", path, errno);
    return Error(Reason::kStorage,
                 absl::StrCat("the data folder is in use: ", path, " is held by ", Holder(descriptor.get()),
                              "; stop it, or give this server another data folder"));
  }
  WriteOwnName(descriptor.get());
  return FolderLock(std::move(descriptor));
}

}  // namespace kith::storage
