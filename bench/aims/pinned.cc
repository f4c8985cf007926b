#include "bench/aims/pinned.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "bench/server.h"

namespace kith::bench {
namespace {

void PinEveryThread(const cpu_set_t& cores) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    sched_setaffinity(std::atoi(task.path().filename().c_str()), sizeof(cores), &cores);
  }
}

}  // namespace

std::vector<int> UsableCores() {
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  return cores;
}

Pinned::Pinned(int core) {
  sched_getaffinity(0, sizeof(before_), &before_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  PinEveryThread(one);
}

Pinned::~Pinned() { PinEveryThread(before_); }

void AllowOpenFiles(unsigned count) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) Die("no limit of open files");
  if (limit.rlim_cur >= count) return;
  limit.rlim_cur = count;
  limit.rlim_max = std::max<rlim_t>(limit.rlim_max, count);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) Die("ulimit -n does not go that far");
}

}  // namespace kith::bench
