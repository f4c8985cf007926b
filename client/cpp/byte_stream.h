// Files on their way to and from the server, piece by piece.
#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client/cpp/types.h"

namespace kith {

// Fills the front of the buffer with the next bytes and says how many there were; 0 at the end. An error ends the call
// that sends them, and the server keeps nothing of it.
using ByteSource = std::function<absl::StatusOr<size_t>(absl::Span<char>)>;

// Takes the next bytes. An error ends the call that sends them and is the call's.
using ByteSink = std::function<absl::Status(absl::Span<const char>)>;

// Takes what an Export sends: once what will come, then the bytes in order. An error ends the call and is the call's.
class ExportSink {
 public:
  virtual ~ExportSink() = default;
  virtual absl::Status Begin(const ExportInfo& info) = 0;
  virtual absl::Status Write(absl::Span<const char> bytes) = 0;
};

// The same for a GetFrames, some rows at a time.
class FramesSink {
 public:
  virtual ~FramesSink() = default;
  virtual absl::Status Begin(const FramesInfo& info) = 0;
  virtual absl::Status Write(FramesView rows) = 0;
};

}  // namespace kith
