// A call that answers one request with many messages: Export and GetFrames.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
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

  DownloadCall(const Context& context, Next next) : context_(context), next_(std::move(next)) { Advance(); }

  void OnWriteDone(bool ok) override {
    if (ok && !cancelled_) return Advance();
    this->Finish(grpc::Status::CANCELLED);
  }
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  void Advance() {
    context_.pool->Run([this] {
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
    });
  }

  const Context& context_;
  const Next next_;
  std::atomic<bool> cancelled_{false};
  Response response_;
};

}  // namespace kith::rpc
