// Sends bytes in messages that have a field `data` for them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/cpp/byte_stream.h"
#include "client/cpp/upload.h"

namespace kith::client {

// The opening, then all bytes of `source`, in messages that every server takes: a source of bytes cannot be read twice.
// write(request) is false when the call has ended, which cuts the upload short without an error of its own. The error
// is the source's.
template <typename Request, typename Write>
absl::Status SendBytes(Request request, const ByteSource& source, Write write) {
  if (!write(request)) return absl::OkStatus();
  request.Clear();
  while (true) {
    std::string* data = request.mutable_data();
    data->resize(kSmallUploadMessage);
    const absl::StatusOr<size_t> count = source(absl::MakeSpan(*data));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    data->resize(*count);
    if (!write(request)) return absl::OkStatus();
  }
}

}  // namespace kith::client
