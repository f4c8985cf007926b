#include "common/npy/npy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/npy/half.h"
#include "common/npy/header.h"

namespace kith::npy {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are copied to and from little-endian files");

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const { return descriptor_; }
  // 0, or -1 with errno: some file systems report a full disk only now.
  int Close() { return close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

absl::Status InvalidPath(const std::string& path, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", message));
}

// False with errno where the file fails or ends early (errno 0).
bool ReadExactly(int descriptor, char* data, size_t size) {
  while (size > 0) {
    errno = 0;
    const ssize_t count = read(descriptor, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    data += count;
    size -= static_cast<size_t>(count);
  }
  return true;
}

bool WriteExactly(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

float ValueAt(const char* data, bool half, int64_t i) {
  if (half) {
    uint16_t bits;
    std::memcpy(&bits, data + 2 * i, sizeof(bits));
    return HalfToFloat(bits);
  }
  float value;
  std::memcpy(&value, data + 4 * i, sizeof(value));
  return value;
}

// data: layout.size() values as the file has them.
Matrix Decode(const Layout& layout, const char* data) {
  Matrix matrix{layout.rows, layout.columns, std::vector<float>(static_cast<size_t>(layout.size()))};
  const int64_t row_step = layout.fortran_order ? 1 : layout.columns;
  const int64_t column_step = layout.fortran_order ? layout.rows : 1;
  float* out = matrix.values.data();
  for (int64_t row = 0; row < layout.rows; ++row) {
    for (int64_t column = 0; column < layout.columns; ++column) {
      *out++ = ValueAt(data, layout.half, row * row_step + column * column_step);
    }
  }
  return matrix;
}

absl::Status ReadFailed() {
  if (errno != 0) return absl::ErrnoToStatus(errno, "cannot be read");
  return absl::InvalidArgumentError("the file got shorter while it was read; try again when it is complete");
}

absl::StatusOr<Layout> ReadLayout(int descriptor, int64_t file_size) {
  std::string start(static_cast<size_t>(std::min(file_size, kMaxStartBytes)), '\0');
  if (!ReadExactly(descriptor, start.data(), start.size())) return ReadFailed();
  return ParseLayout(start, file_size);
}

absl::StatusOr<Matrix> ReadOpen(int descriptor, int64_t file_size) {
  const absl::StatusOr<Layout> layout = ReadLayout(descriptor, file_size);
  if (!layout.ok()) return layout.status();

  if (lseek(descriptor, layout->offset, SEEK_SET) < 0) return ReadFailed();
  const auto bytes = static_cast<size_t>(layout->size() * layout->value_bytes());
  if (layout->half || layout->fortran_order) {
    std::vector<char> data(bytes);
    if (!ReadExactly(descriptor, data.data(), bytes)) return ReadFailed();
    return Decode(*layout, data.data());
  }
  Matrix matrix{layout->rows, layout->columns, std::vector<float>(static_cast<size_t>(layout->size()))};
  if (!ReadExactly(descriptor, reinterpret_cast<char*>(matrix.values.data()), bytes)) return ReadFailed();
  return matrix;
}

// read(descriptor, size) -> absl::StatusOr<...> for the plain file at `path`, which its errors then name.
template <typename Read>
auto WithFile(const std::string& path, Read read) -> decltype(read(0, int64_t{0})) {
  // O_NONBLOCK: a named pipe must not hold the caller up before it is refused.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.descriptor() < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  struct stat info;
  if (fstat(file.descriptor(), &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be read"));
  if (S_ISDIR(info.st_mode)) return InvalidPath(path, "is a folder; give a .npy file");
  if (!S_ISREG(info.st_mode)) return InvalidPath(path, "is not a plain file; give a .npy file");
  auto result = read(file.descriptor(), static_cast<int64_t>(info.st_size));
  if (result.ok()) return result;
  return absl::Status(result.status().code(), absl::StrCat(path, ": ", result.status().message()));
}

absl::Status WriteAndRename(const std::string& path, absl::string_view header, absl::string_view data) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return InvalidPath(path, S_ISDIR(info.st_mode) ? "is a folder; give a file's name" : "is not a plain file");
  }
  static std::atomic<uint64_t> counter{0};
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".", counter++, ".tmp");
  File file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.descriptor() < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be created"));
  if (WriteExactly(file.descriptor(), header) && WriteExactly(file.descriptor(), data) && file.Close() == 0 &&
      rename(temporary.c_str(), path.c_str()) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  unlink(temporary.c_str());
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be written"));
}

template <typename T>
absl::Status Write(const std::string& path, Type type, absl::Span<const T> values, int64_t rows, int64_t columns) {
  const auto size = static_cast<int64_t>(values.size());
  const bool fits = rows >= 0 && columns >= 1 && size % columns == 0 && size / columns == rows;
  if (!fits) {
    return InvalidPath(path, absl::StrCat(size, " values are not ", rows, " rows of ", columns, " columns"));
  }
  return WriteAndRename(path, Header(type, rows, columns),
                        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

}  // namespace

absl::StatusOr<Matrix> ReadMatrix(const std::string& path) { return WithFile(path, ReadOpen); }

absl::StatusOr<Shape> ReadShape(const std::string& path) {
  return WithFile(path, [](int descriptor, int64_t file_size) -> absl::StatusOr<Shape> {
    const absl::StatusOr<Layout> layout = ReadLayout(descriptor, file_size);
    if (!layout.ok()) return layout.status();
    return Shape{layout->rows, layout->columns};
  });
}

absl::StatusOr<Matrix> ParseMatrix(absl::Span<const char> bytes) {
  const auto start_bytes = std::min(bytes.size(), static_cast<size_t>(kMaxStartBytes));
  const absl::StatusOr<Layout> layout = ParseLayout({bytes.data(), start_bytes}, static_cast<int64_t>(bytes.size()));
  if (!layout.ok()) return layout.status();
  return Decode(*layout, bytes.data() + layout->offset);
}

absl::Status WriteMatrix(const std::string& path, absl::Span<const float> values, int64_t rows, int64_t columns) {
  return Write(path, Type::kFloat32, values, rows, columns);
}

absl::Status WriteMatrix(const std::string& path, absl::Span<const int64_t> values, int64_t rows, int64_t columns) {
  return Write(path, Type::kInt64, values, rows, columns);
}

}  // namespace kith::npy
