// The status page's files, which are part of the program.
#pragma once

#include <string_view>
#include <vector>

namespace kith::http {

struct PageFile {
  std::string_view name;  // "index.html"
  std::string_view contents;
};

const std::vector<PageFile>& PageFiles();

}  // namespace kith::http
