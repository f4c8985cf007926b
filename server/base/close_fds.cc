#include "server/base/close_fds.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace kith {
namespace {

// The number that a name in /proc/self/fd is; -1 for "." and "..".
int NumberOf(const char* name) {
  if (*name == '\0') return -1;
  int number = 0;
  for (; *name != '\0'; ++name) {
    if (*name < '0' || *name > '9') return -1;
    number = 10 * number + (*name - '0');
  }
  return number;
}

// Of the open folder /proc/self/fd; opendir would allocate.
bool MarkListed(int folder, int first) {
  alignas(dirent64) char buffer[4096];
  while (true) {
    const ssize_t count = getdents64(folder, buffer, sizeof(buffer));
    if (count <= 0) return count == 0;
    for (ssize_t place = 0; place < count;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer + place);
      place += entry->d_reclen;
      const int fd = NumberOf(entry->d_name);
      if (fd >= first && fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 && errno != EBADF) return false;
    }
  }
}

}  // namespace

bool CloseOnExecFrom(int first) {
  if (close_range(static_cast<unsigned>(first), ~0U, CLOSE_RANGE_CLOEXEC) == 0) return true;
  return CloseOnExecByProc(first);
}

bool CloseOnExecByProc(int first) {
  const int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const bool marked = MarkListed(folder, first);
  const int error = errno;
  close(folder);
  errno = error;
  return marked;
}

}  // namespace kith
