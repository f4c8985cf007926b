// A call that answers one request with many messages: Export and GetFrames.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/guard.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// Bytes of data in one message: small enough to keep both ends busy.
inline constexpr int64_t kDownloadPiece = 1 << 20;

// Deletes itself when the call is over. The next message is made, in the pool, only once the last one has been taken:
// a slow client costs the memory of one.
template <typename Response>
class DownloadCall : public grpc::ServerWriteReactor<Response> {
 public:
  // Fills the next message; false: there are no more.
  using Next = std::function<absl::StatusOr<bool>(Response*)>;

  // The first message is made in `lane` of the pool.
  DownloadCall(const Context& context, CallGate::Pass pass, Next next, const std::string& lane)
      : pass_(std::move(pass)), context_(context), next_(std::move(next)) {
    context_.pool->RunInLane(lane, [this] { Advance(); });
  }

  void OnWriteDone(bool ok) override {
    if (!ok || cancelled_) return this->Finish(grpc::Status::CANCELLED);
    context_.pool->Run([this] { Advance(); });
  }
  void OnCancel() override { cancelled_ = true; }
  // In the pool: with `next` may go a file of gigabytes.
  void OnDone() override {
    context_.pool->Run([this] { delete this; });
  }

 private:
  // Runs in the pool.
  void Advance() {
    bool more = false;
    response_.Clear();
    const absl::Status status = Guarded([&] {
      const absl::StatusOr<bool> filled = next_(&response_);
      more = filled.ok() && *filled;
      return filled.status();
    });
    if (more) {
      this->StartWrite(&response_);
    } else {
      this->Finish(ToGrpc(status));
    }
  }

  const CallGate::Pass pass_;
  const Context& context_;
  const Next next_;
  std::atomic<bool> cancelled_{false};
  Response response_;
};

}  // namespace kith::rpc
