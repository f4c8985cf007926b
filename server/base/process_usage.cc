#include "server/base/process_usage.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <ctime>
#include <filesystem>
#include <system_error>

#include "server/base/memory.h"

namespace kith {
namespace {

namespace fs = std::filesystem;

int64_t EntriesOf(const char* folder) {
  std::error_code error;
  int64_t entries = 0;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) ++entries;
  return entries;
}

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// What goes away meanwhile, a folder and what is in it, is left out; recursive_directory_iterator would end there.
int64_t BytesIn(const fs::path& folder) {  // NOLINT(misc-no-recursion): no deeper than the folders are
  constexpr int64_t kBlock = 512;          // of st_blocks, whatever the file system's own
  int64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator next(folder, error), end; !error && next != end; next.increment(error)) {
    struct stat file {};
    if (lstat(next->path().c_str(), &file) != 0) continue;
    bytes += file.st_blocks * kBlock;
    if (S_ISDIR(file.st_mode)) bytes += BytesIn(next->path());
  }
  return bytes;
}

}  // namespace

ProcessUsage UsageOfProcess() {
  ProcessUsage usage;
  usage.cpu_seconds = CpuSeconds();
  usage.resident_bytes = ResidentMemory();
  usage.open_files = EntriesOf("/proc/self/fd");
  usage.threads = EntriesOf("/proc/self/task");
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) usage.most_open_files = static_cast<int64_t>(files.rlim_cur);
  return usage;
}

DiskUsage UsageOfDisk(const std::string& folder) {
  DiskUsage usage;
  usage.folder_bytes = BytesIn(folder);
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) == 0) {
    usage.free_bytes = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
    usage.size_bytes = static_cast<int64_t>(disk.f_blocks) * static_cast<int64_t>(disk.f_frsize);
  }
  return usage;
}

}  // namespace kith
