// .npy files made by hand, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kith::npy {

// A file of the given format version whose header is `dict` and a line's end.
inline std::string FileOf(absl::string_view dict, absl::string_view body, int version = 1) {
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  const size_t length = dict.size() + 1;
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) file += static_cast<char>(length >> (8 * i) & 0xFF);
  file.append(dict.data(), dict.size());
  file += '\n';
  file.append(body.data(), body.size());
  return file;
}

template <typename T>
std::string BytesOf(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace kith::npy
