#include "server/base/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "server/base/cgroup.h"

namespace kith {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// "MemTotal:       24639884 kB"
int64_t MachineMemory(const ReadFile& read) {
  const std::string contents = read("/proc/meminfo");
  for (const absl::string_view line : absl::StrSplit(contents, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kibibytes = 0;
    if (words.size() >= 2 && words[0] == "MemTotal:" && absl::SimpleAtoi(words[1], &kibibytes)) return kibibytes * 1024;
  }
  return kNoLimit;
}

}  // namespace

int64_t UsableMemory(const ReadFile& read) {
  int64_t least = MachineMemory(read);
  VisitCgroups("memory", read, [&](const std::string& folder, bool version_2) {
    const std::string text = read(absl::StrCat(folder, version_2 ? "/memory.max" : "/memory.limit_in_bytes"));
    int64_t limit = 0;  // "max" is no number
    if (absl::SimpleAtoi(absl::StripAsciiWhitespace(text), &limit) && limit > 0) least = std::min(least, limit);
  });
  return least;
}

int64_t UsableMemory() { return UsableMemory(ReadSystemFile); }

void ConfigureAllocator() {
  constexpr int kLargePiece = 256 << 10;  // below this a system call and fresh pages cost more than they save
  constexpr int kMostKept = 4 << 20;
  constexpr int kArenas = 4;
  mallopt(M_MMAP_THRESHOLD, kLargePiece);
  mallopt(M_TRIM_THRESHOLD, kMostKept);
  mallopt(M_ARENA_MAX, kArenas);
}

void ReturnFreedMemory() { malloc_trim(0); }

int64_t ResidentMemory() {
  const std::string contents = ReadSystemFile("/proc/self/statm");
  const std::vector<absl::string_view> pages = absl::StrSplit(contents, ' ');  // size, resident, ...
  int64_t resident = 0;
  if (pages.size() < 2 || !absl::SimpleAtoi(pages[1], &resident)) return 0;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace kith
