// Frames that are sent piece by piece, so that a voice need not be in memory as a whole.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cpp/types.h"

namespace kith {

// Called from one thread at a time.
class FrameSource {
 public:
  virtual ~FrameSource() = default;

  // The next frames in order, any number of rows, all of one dimension; no rows: the end. The view holds until the
  // next call. An error ends the call that sends the frames, and the server keeps nothing of it.
  virtual absl::StatusOr<FramesView> Next() = 0;

  // Starts again from the first frame, to send once more after a lost connection.
  virtual absl::Status Rewind() = 0;
};

// All frames in one piece. The values must outlive the source.
class MemorySource final : public FrameSource {
 public:
  explicit MemorySource(FramesView frames) : frames_(frames) {}

  absl::StatusOr<FramesView> Next() override {
    if (given_) return FramesView();
    given_ = true;
    return frames_;
  }
  absl::Status Rewind() override {
    given_ = false;
    return absl::OkStatus();
  }

 private:
  const FramesView frames_;
  bool given_ = false;
};

}  // namespace kith
