// SQLite's writes and syncs pass points too: a program's own function goes before the one of the C library, for the
// libraries that it uses as well.
//
//   wal-write, wal-sync, wal-truncate            of the write-ahead log, before the call is made
//   wal-synced                                   after a sync that succeeded
//   catalogue-write, catalogue-sync, ...         the same of the database file
//   shm-write, shm-truncate                      of the index of the log
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "server/base/fault.h"

namespace {

// "wal" for the descriptor of catalogue.sqlite-wal; empty for what is none of SQLite's.
std::string KindOf(int fd) {
  char target[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof(target));
  const std::string path(target, size > 0 ? static_cast<size_t>(size) : 0);
  const std::string extension = path.substr(path.rfind('.') == std::string::npos ? path.size() : path.rfind('.'));
  if (extension == ".sqlite") return "catalogue";
  if (extension == ".sqlite-wal") return "wal";
  if (extension == ".sqlite-shm") return "shm";
  return "";
}

bool Fails(const std::string& kind, const char* call) { return !kind.empty() && kith::Fault((kind + call).c_str()); }

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): of names that only the C library may use
extern "C" {

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return Fails(KindOf(fd), "-write") ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}

int fdatasync(int fd) {
  const std::string kind = KindOf(fd);
  if (Fails(kind, "-sync")) return -1;
  const auto result = static_cast<int>(syscall(SYS_fdatasync, fd));
  return result == 0 && Fails(kind, "-synced") ? -1 : result;
}

int ftruncate64(int fd, off64_t size) noexcept {
  return Fails(KindOf(fd), "-truncate") ? -1 : static_cast<int>(syscall(SYS_ftruncate, fd, size));
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
