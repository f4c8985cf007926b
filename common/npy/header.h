// What a .npy file's first bytes say about the rest of it.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::npy {

struct Layout {
  bool half = false;  // float16; else float32
  bool fortran_order = false;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t offset = 0;  // of the values in the file

  int64_t value_bytes() const { return half ? 2 : 4; }
  int64_t size() const { return rows * columns; }
};

// So many bytes from a file's start hold every header that ParseLayout takes.
inline constexpr int64_t kMaxStartBytes = int64_t{1} << 16;

// start: the first min(file_size, kMaxStartBytes) bytes of a file of file_size bytes. What it returns is sound: the
// file holds all of the values. Errors as for ReadMatrix.
absl::StatusOr<Layout> ParseLayout(absl::string_view start, int64_t file_size);

}  // namespace kith::npy
