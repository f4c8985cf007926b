// Cuts the frames of a source into messages of a bounded size.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "client/cpp/frame_source.h"

namespace kith::client {

constexpr int64_t kUploadMessage = 1 << 20;  // bytes of numbers in a message: small enough to keep both ends busy

struct UploadedFrames {
  int64_t rows = 0;
  int dimension = 0;
  bool cut_short = false;  // the call ended before all was sent
};

// Sends all frames of `source` in messages of at most `message_bytes` of payload: send(part) is false when the call
// has ended, which cuts the upload short without an error of its own. INVALID_ARGUMENT where the source's dimension
// changes or it has no frames at all; else the source's own error.
absl::Status Upload(FrameSource& source, int64_t message_bytes, const std::function<bool(FramesView)>& send,
                    UploadedFrames* uploaded);

}  // namespace kith::client
