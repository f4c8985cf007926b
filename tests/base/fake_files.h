// Files that are not there, for what reads /proc and /sys.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "server/base/cgroup.h"

namespace kith::testing {

// Gives `files` by path, empty for any other.
inline ReadFile FakeFiles(std::map<std::string, std::string> files) {
  return [files = std::move(files)](const std::string& path) {
    const auto file = files.find(path);
    return file == files.end() ? std::string() : file->second;
  };
}

}  // namespace kith::testing
