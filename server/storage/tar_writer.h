// A tar archive, written as it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/storage/streams.h"

struct archive;

namespace kith::storage {

// Writes a POSIX tar (pax where it has to be) to a sink. After an error of the sink every further call gives an error.
// Not thread-safe.
class TarWriter {
 public:
  // `sink` outlives it. `time` is that of every entry.
  TarWriter(ByteSink sink, absl::Time time);
  ~TarWriter();
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  absl::Status AddFolder(const std::string& path);

  // Takes `source` to its end. The source's error, or DATA_LOSS where it does not give `size` bytes: then zeros stand
  // for the rest, and the tar can go on.
  absl::Status AddFile(const std::string& path, int64_t size, ByteSource source);

  // Writes the end of the archive. Without it the tar is not whole.
  absl::Status Finish();

  // Given to the sink so far.
  int64_t bytes() const { return bytes_; }

 private:
  static ssize_t Write(archive*, void* self, const void* data, size_t size);
  absl::Status AddHeader(const std::string& path, unsigned type, unsigned mode, int64_t size);
  absl::Status Failure() const;

  const ByteSink sink_;
  const absl::Time time_;
  archive* const archive_;
  absl::Status sink_status_;
  int64_t bytes_ = 0;
};

}  // namespace kith::storage
