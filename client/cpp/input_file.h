// A plain file on its way to the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/byte_stream.h"

namespace kith::client {

// Errors name the path.
class InputFile {
 public:
  // NOT_FOUND and the like where it cannot be opened, INVALID_ARGUMENT where it is no plain file; `advice` then says
  // what to give instead.
  static absl::StatusOr<InputFile> Open(const std::string& path, const char* advice);

  int64_t size() const { return size_; }  // when it was opened

  // Fills the front of the buffer with the next bytes; fewer than it holds, or 0, at the end only.
  absl::StatusOr<size_t> Read(absl::Span<char> out);

  // The first bytes, at most `count`; the next Read begins at the front again.
  absl::StatusOr<std::string> Head(size_t count);

  ByteSource Source();  // reads this file, which must outlive it

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  InputFile(std::string path, int64_t size, std::unique_ptr<std::FILE, Close> file)
      : path_(std::move(path)), size_(size), file_(std::move(file)) {}

  std::string path_;
  int64_t size_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace kith::client
