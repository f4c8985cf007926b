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

// Makes the allocator ask the system for large pieces one by one and give each back as soon as it is freed. Left to
// itself it would keep pieces of up to 32 MiB after the first of that size was freed, and one small piece at the end of
// what it keeps holds all of that back. Once, before there are threads.
void ConfigureAllocator();

// Gives what was freed, and the allocator kept, back to the system. Takes some milliseconds; holds up other threads'
// allocations for parts of that.
void ReturnFreedMemory();

// Bytes that this process has in memory now.
int64_t ResidentMemory();

}  // namespace kith
