// Matrices in numpy's .npy files. The format: numpy.lib.format (NEP 1), versions 1.0, 2.0 and 3.0.
//
// Every function here may be called by several threads at once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace kith::npy {

// A row-major [rows, columns] float32 matrix; values.size() == rows * columns. One row is one frame.
struct Matrix {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<float> values;
};

// Reads a matrix of shape [T, d] or [1, T, d], dtype float32 ('<f4') or float16 ('<f2', converted exactly), in C or
// Fortran order. T may be 0, d is at least 1. The values are given as they are: NaN and infinity are for the caller to
// judge. Bytes behind the array are ignored, as numpy.load ignores them.
//
// Errors, all with a message that names the path and says what to do: NOT_FOUND for a missing file, PERMISSION_DENIED,
// INVALID_ARGUMENT for whatever is not such a matrix (other format, dtype, byte order or shape; truncated; a folder).
// Memory: never more than a small multiple of the file's own size, whatever its header claims.
absl::StatusOr<Matrix> ReadMatrix(const std::string& path);

struct Shape {
  int64_t rows = 0;
  int64_t columns = 0;
};

// The shape of what ReadMatrix would give, from the file's first bytes alone. Errors as there.
absl::StatusOr<Shape> ReadShape(const std::string& path);

// The same as ReadMatrix for a file's bytes in memory; the messages name no path.
absl::StatusOr<Matrix> ParseMatrix(absl::Span<const char> bytes);

// Writes values, row-major [rows, columns], as '<f4' or '<i8' in C order, version 1.0: byte for byte what numpy.save
// writes. The bytes go to a temporary file beside `path`, which is then renamed: on failure whatever was at `path` is
// still there, and no half file. A symbolic link at `path` is replaced, not followed. The file is not synced to disk.
//
// Errors: INVALID_ARGUMENT where values.size() is not rows * columns or where `path` is a folder or a device; NOT_FOUND
// where its folder is missing; RESOURCE_EXHAUSTED for a full disk; PERMISSION_DENIED.
absl::Status WriteMatrix(const std::string& path, absl::Span<const float> values, int64_t rows, int64_t columns);
absl::Status WriteMatrix(const std::string& path, absl::Span<const int64_t> values, int64_t rows, int64_t columns);

enum class Type { kFloat32, kInt64 };

// The length of what Header() gives, whatever the shape: a file whose rows grow can have its header rewritten in place.
inline constexpr int64_t kHeaderBytes = 128;

// What stands in front of the values of a [rows, columns] matrix in C order, for those who write the values themselves.
// rows and columns are not negative.
std::string Header(Type type, int64_t rows, int64_t columns);

}  // namespace kith::npy
