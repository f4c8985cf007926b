// What this process takes of the machine, and what a folder takes of its disk.
#pragma once

#include <cstdint>
#include <string>

namespace kith {

struct ProcessUsage {
  double cpu_seconds = 0;  // of all threads, in user and in system mode
  int64_t resident_bytes = 0;
  int64_t open_files = 0;
  int64_t most_open_files = 0;
  int64_t threads = 0;
};

// As it is now; what cannot be read is 0.
ProcessUsage UsageOfProcess();

struct DiskUsage {
  int64_t folder_bytes = 0;  // that the files in the folder occupy
  int64_t free_bytes = 0;    // of its file system, for users without privileges
  int64_t size_bytes = 0;    // of its file system
};

// Looks at every file, so that it takes about a microsecond for each. Files that come or go meanwhile count or do not;
// what cannot be read is 0.
DiskUsage UsageOfDisk(const std::string& folder);

}  // namespace kith
