// How many cores this process may use.
#pragma once

#include "server/base/cgroup.h"

namespace kith {

// The cores that the calling thread may run on, or fewer where a cgroup's quota allows less: whole cores, rounded down,
// because a thread beyond the quota is stopped in the middle of its work. At least 1. Thread-safe.
int UsableCores();

// The same from what it depends on. allowed_cores: by affinity. Of /proc/self/cgroup it takes the process's cgroups,
// version 2 and 1; of each of them and all above it the quota (kernel's Documentation/admin-guide/cgroup-v2.rst,
// cpu.max; scheduler/sched-bwc.rst, cpu.cfs_quota_us).
int UsableCores(int allowed_cores, const ReadFile& read);

}  // namespace kith
