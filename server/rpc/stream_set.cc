#include "server/rpc/stream_set.h"

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/rpc/call_gate.h"

namespace kith::rpc {

absl::Status StreamSet::Enter(Drainable* stream) {
  const auto most = static_cast<size_t>(limits_->Get().streams);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (draining_) return ShuttingDown();
  if (streams_.size() >= most) {
    return Error(Reason::kOverloaded, absl::StrCat("there are ", streams_.size(), " ", what_,
                                                   " and no more may be (limits.streams); close one, "
                                                   "or try again later"));
  }
  streams_.insert(stream);
  return absl::OkStatus();
}

void StreamSet::Leave(Drainable* stream) {
  const std::lock_guard<std::mutex> lock(mutex_);
  streams_.erase(stream);
}

void StreamSet::DrainAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  draining_ = true;
  // A stream that ends now waits in Leave until we are through, so none goes away under our hands.
  for (Drainable* stream : streams_) stream->Drain();
}

}  // namespace kith::rpc
