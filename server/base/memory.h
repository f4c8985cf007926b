// How much memory this process may have, and how to give back what it had.
#pragma once

#include <cstdint>

#include "server/base/cgroup.h"

namespace kith {

// Bytes of memory that the machine has, or the least limit of the cgroups (version 1 or 2) that this process is in
// where that is less. Reads /proc and /sys.
int64_t UsableMemory();

// The same over other files: `read` gives a file's contents, empty where there is none.
int64_t UsableMemory(const ReadFile& read);

// Gives what was freed, and the allocator kept, back to the system. Takes some milliseconds; holds up other threads'
// allocations for parts of that.
void ReturnFreedMemory();

// Bytes that this process has in memory now.
int64_t ResidentMemory();

}  // namespace kith
