// Tells the end of a stream from a message that cannot be parsed: to gRPC's reactors both are a read that failed, and
// what came before such a message must not be taken for the whole upload. Parsing clears the message first, so a mark
// that was set before the read is there afterwards only if no message came.
#pragma once

#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "kith/v1/experiments.pb.h"
#include "server/base/status.h"

namespace kith::rpc {

inline constexpr int32_t kUnreadMark = std::numeric_limits<int32_t>::min();
inline constexpr char kUnreadName[] = "/";  // no file is called that, and no tar is that

// To be called before each read into `request`, which is any of the messages with frames.
template <typename Request>
void MarkUnread(Request* request) {
  request->mutable_frames()->set_dimension(kUnreadMark);
}
inline void MarkUnread(v1::ImportRequest* request) { request->set_file_name(kUnreadName); }
inline void MarkUnread(v1::RestoreRequest* request) { request->set_data(kUnreadName); }

template <typename Request>
bool IsUnread(const Request& request) {
  return request.frames().dimension() == kUnreadMark;
}
inline bool IsUnread(const v1::ImportRequest& request) { return request.file_name() == kUnreadName; }
inline bool IsUnread(const v1::RestoreRequest& request) { return request.data() == kUnreadName; }

// After a read that failed: an error where a message came that is none.
template <typename Request>
absl::Status CheckUnread(const Request& request) {
  if (IsUnread(request)) return absl::OkStatus();
  return Error(Reason::kBadParameter, "a message cannot be parsed; send those of kith.v1, with text in UTF-8");
}

}  // namespace kith::rpc
