#include "server/base/cores.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/base/cgroup.h"

namespace kith {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

double Quota(absl::string_view quota_us, absl::string_view period_us) {
  int64_t quota = 0, period = 0;  // "max" and -1 mean no quota
  if (!absl::SimpleAtoi(quota_us, &quota) || !absl::SimpleAtoi(period_us, &period)) return kNoQuota;
  return quota > 0 && period > 0 ? static_cast<double>(quota) / static_cast<double>(period) : kNoQuota;
}

double QuotaOfFolder(const std::string& folder, bool version_2, const ReadFile& read) {
  if (!version_2) return Quota(read(folder + "/cpu.cfs_quota_us"), read(folder + "/cpu.cfs_period_us"));
  const std::string cpu_max = read(folder + "/cpu.max");
  const std::vector<absl::string_view> words = absl::StrSplit(cpu_max, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  return words.size() == 2 ? Quota(words[0], words[1]) : kNoQuota;
}

int AllowedCores() {
  // The kernel refuses a set that is too small for its own.
  for (int size = CPU_SETSIZE; size <= 1 << 20; size *= 2) {
    cpu_set_t* set = CPU_ALLOC(size);
    const size_t bytes = CPU_ALLOC_SIZE(size);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return 1;
}

}  // namespace

int UsableCores(int allowed_cores, const ReadFile& read) {
  double quota = kNoQuota;
  VisitCgroups("cpu", read, [&](const std::string& folder, bool version_2) {
    quota = std::min(quota, QuotaOfFolder(folder, version_2, read));
  });
  return static_cast<int>(std::max(1.0, std::min<double>(allowed_cores, quota)));
}

int UsableCores() { return UsableCores(AllowedCores(), ReadSystemFile); }

}  // namespace kith
