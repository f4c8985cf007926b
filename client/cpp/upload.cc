#include "client/cpp/upload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cpp/convert.h"
#include "client/cpp/status.h"

namespace kith::client {

absl::Status Upload(FrameSource& source, int64_t message_bytes, const std::function<bool(FramesView)>& send,
                    UploadedFrames* uploaded) {
  while (true) {
    absl::StatusOr<FramesView> frames = source.Next();
    if (!frames.ok()) return frames.status();
    if (frames->values.empty()) break;
    if (absl::Status status = CheckFrames(*frames, uploaded->rows); !status.ok()) return status;
    if (uploaded->dimension == 0) uploaded->dimension = frames->dimension;
    if (frames->dimension != uploaded->dimension) {
      return LocalError(absl::StatusCode::kInvalidArgument, "DIMENSION_MISMATCH",
                        absl::StrCat("frames of dimension ", frames->dimension, " after frames of dimension ",
                                     uploaded->dimension, "; all frames of one upload must have the same"));
    }
    const int64_t row_bytes = static_cast<int64_t>(sizeof(float)) * frames->dimension;
    const int64_t part_rows = std::max<int64_t>(1, message_bytes / row_bytes);
    for (int64_t first = 0; first < frames->rows(); first += part_rows) {
      const FramesView part = frames->Rows(first, std::min(part_rows, frames->rows() - first));
      if (!send(part)) {
        uploaded->cut_short = true;
        return absl::OkStatus();
      }
      uploaded->rows += part.rows();
    }
  }
  if (uploaded->rows > 0) return absl::OkStatus();
  return LocalError(absl::StatusCode::kInvalidArgument, "EMPTY_BATCH", "there are no frames to send");
}

}  // namespace kith::client
