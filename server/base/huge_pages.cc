#include "server/base/huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "server/base/cgroup.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // of Linux 6.1; Debian 12's libc is older than that
#endif

namespace kith {
namespace {

// MADV_COLLAPSE itself does not ask.
bool AreWanted() {
  return !absl::StrContains(ReadSystemFile("/sys/kernel/mm/transparent_hugepage/enabled"), "[never]");
}

// Of each huge page that has any.
std::map<uintptr_t, size_t> BytesOnEach(const std::vector<absl::Span<const char>>& pieces) {
  std::map<uintptr_t, size_t> bytes;
  for (const auto& piece : pieces) {
    const auto begin = reinterpret_cast<uintptr_t>(piece.data());
    const uintptr_t end = begin + piece.size();
    for (uintptr_t at = begin; at < end;) {
      const uintptr_t page = at / kHugePage;
      const uintptr_t next = std::min(end, (page + 1) * kHugePage);
      bytes[page] += next - at;
      at = next;
    }
  }
  return bytes;
}

}  // namespace

int64_t PutOnHugePages(const std::vector<absl::Span<const char>>& pieces) {
  int64_t moved = 0;
  if (!AreWanted()) return moved;
  for (const auto& [page, bytes] : BytesOnEach(pieces)) {
    if (bytes < kHugePage / 4 * 3) continue;
    void* const start = reinterpret_cast<void*>(page * kHugePage);  // NOLINT(performance-no-int-to-ptr): an address
    if (madvise(start, kHugePage, MADV_COLLAPSE) == 0) moved += static_cast<int64_t>(kHugePage);
  }
  return moved;
}

}  // namespace kith
