#include "server/base/cgroup.h"

#include <fstream>
#include <sstream>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kith {
namespace {

void VisitUpwards(absl::string_view mount, absl::string_view path, bool version_2,
                  absl::FunctionRef<void(const std::string&, bool)> visit) {
  for (std::string rest(path == "/" ? "" : path);; rest.resize(rest.rfind('/'))) {
    visit(absl::StrCat(mount, rest), version_2);
    if (rest.find('/') == std::string::npos) return;
  }
}

}  // namespace

std::string ReadSystemFile(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

void VisitCgroups(absl::string_view controller, const ReadFile& read,
                  absl::FunctionRef<void(const std::string&, bool)> visit) {
  const std::string cgroups = read("/proc/self/cgroup");
  for (const absl::string_view line : absl::StrSplit(cgroups, '\n', absl::SkipEmpty())) {
    // hierarchy:controllers:path; version 2 is hierarchy 0 without controllers
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (parts[1].empty()) {
      VisitUpwards("/sys/fs/cgroup", parts[2], true, visit);
    } else if (absl::c_linear_search(std::vector<absl::string_view>(absl::StrSplit(parts[1], ',')), controller)) {
      VisitUpwards(absl::StrCat("/sys/fs/cgroup/", controller), parts[2], false, visit);
    }
  }
}

}  // namespace kith
