// Cuts the frames of a source into messages of a bounded size.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "client/cpp/frame_source.h"
#include "client/cpp/status.h"

namespace kith::client {

// Bytes of numbers in a message: few enough to keep both ends busy, and what every server takes, whose
// limits.message_bytes is 64 KiB at least.
constexpr int64_t kUploadMessage = 1 << 20;
constexpr int64_t kSmallUploadMessage = 60 << 10;

// How large the messages of a connection's uploads are, which shows in one that is refused. Thread-safe.
class UploadLimit {
 public:
  explicit UploadLimit(int64_t payload) : bytes_(std::min(payload, kUploadMessage)) {}

  // upload(message_bytes) -> absl::Status sends everything; once more in smaller messages where they were too large.
  template <typename Send>
  absl::Status Run(Send upload) {
    const int64_t bytes = bytes_;
    absl::Status status = upload(bytes);
    if (!IsMessageTooLarge(status) || bytes <= kSmallUploadMessage) return status;
    bytes_ = kSmallUploadMessage;
    return upload(kSmallUploadMessage);
  }

 private:
  std::atomic<int64_t> bytes_;
};

struct UploadedFrames {
  int64_t rows = 0;
  int dimension = 0;
  bool cut_short = false;  // the call ended before all was sent
};

// Sends all frames of `source` in messages of at most `message_bytes` of payload: send(part) is false when the call
// has ended, which cuts the upload short without an error of its own. INVALID_ARGUMENT where the source's dimension
// changes, a value is not finite (the row is counted over the whole upload) or it has no frames at all; else the
// source's own error.
absl::Status Upload(FrameSource& source, int64_t message_bytes, const std::function<bool(FramesView)>& send,
                    UploadedFrames* uploaded);

}  // namespace kith::client
