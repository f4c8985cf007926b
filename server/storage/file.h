// Files and folders by checked POSIX calls: nothing counts as written before it is on disk.
//
// Errors of writing are UNAVAILABLE STORAGE. Errors of reading are DATA_LOSS STORAGE where the file is gone or its
// device fails, else UNAVAILABLE STORAGE. Every message names the path. No class here is thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/base/checksum.h"

namespace kith::storage {

// What to do about damaged files; ends the messages of DATA_LOSS.
inline constexpr char kRepairHint[] = "train the experiment again, or restore the data folder from a backup";

// True for the errno values of a full disk, a quota or a file-size limit.
bool IsDiskFull(int error);

// UNAVAILABLE STORAGE: "<doing> <path>: <errno's text>", and what to do.
absl::Status WriteError(const char* doing, const std::string& path, int error);

// DATA_LOSS STORAGE: "<path> is damaged: <how>; <what to do>".
absl::Status Damage(const std::string& path, const std::string& how);

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;

  int get() const { return fd_; }
  // Closes it; 0 or what close() failed with.
  int Reset();

 private:
  int fd_ = -1;
};

struct FileSummary {
  int64_t size = 0;
  std::string sha256;  // lower-case hex
};

// A new file, written in order through a buffer, its digest taken on the way.
class OutputFile {
 public:
  // Fails where `path` exists.
  static absl::StatusOr<OutputFile> Create(std::string path);

  // After an error every further call gives the same error.
  absl::Status Write(absl::Span<const char> bytes);

  // Writes out what is buffered, syncs and closes. The file is spent afterwards.
  absl::StatusOr<FileSummary> Finish();

 private:
  OutputFile(std::string path, Descriptor descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}
  absl::Status WriteThrough(absl::Span<const char> bytes);
  absl::Status Flush();

  std::string path_;
  Descriptor descriptor_;
  std::vector<char> buffer_;
  Sha256 sha256_;
  int64_t size_ = 0;
  absl::Status status_;
};

// A file read in order through a buffer. It stays readable when its name is removed.
class InputFile {
 public:
  static absl::StatusOr<InputFile> Open(std::string path);

  const std::string& path() const { return path_; }
  absl::StatusOr<int64_t> Size() const;

  // Fills the front of `out`, says how many bytes; 0 only at the end or for an empty `out`.
  absl::StatusOr<size_t> Read(absl::Span<char> out);

  // Fills `out`; a file that ends before is damaged.
  absl::Status ReadExactly(absl::Span<char> out);

  // The next Read starts at the front.
  absl::Status Rewind();

 private:
  InputFile(std::string path, Descriptor descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}
  absl::StatusOr<size_t> ReadThrough(absl::Span<char> out);

  std::string path_;
  Descriptor descriptor_;
  std::vector<char> buffer_;
  size_t position_ = 0;  // in buffer_
};

// Makes the folder and its parents; a folder that is there is fine.
absl::Status MakeFolders(const std::string& path);

// Makes one new folder.
absl::Status MakeFolder(const std::string& path);

// Puts the names in the folder on disk.
absl::Status SyncFolder(const std::string& path);

// Renames within one file system; the folders are not synced.
absl::Status Rename(const std::string& from, const std::string& to);

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);

// Removes a folder with all that is in it, as far as it can: what is left is for the next start.
void RemoveFolder(const std::string& path);

}  // namespace kith::storage
