// The limits that cgroups set to this process.
#pragma once

#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace kith {

// Gives a file's contents; empty where there is none.
using ReadFile = std::function<std::string(const std::string& path)>;

// From the file system.
std::string ReadSystemFile(const std::string& path);

// Calls `visit` with the folder of every cgroup that limits this process's use of `controller` ("cpu", "memory"): its
// own and those above it, of version 2 and of version 1. In a container the path in /proc may be the host's, which is
// not there; the container's own cgroup is then the mount itself, which is visited in any case.
void VisitCgroups(absl::string_view controller, const ReadFile& read,
                  absl::FunctionRef<void(const std::string& folder, bool version_2)> visit);

}  // namespace kith
