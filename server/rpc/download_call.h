// A call that answers one request with many messages, all of one generation: Export and GetFrames.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/base/guard.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// Bytes of data in one message: small enough to keep both ends busy.
inline constexpr int64_t kDownloadPiece = 1 << 20;

// Deletes itself when the call is over. The experiment is loaded where it is not in memory. The next message is made,
// in the pool, only once the last one has been taken: a slow client costs the memory of one.
template <typename Response>
class DownloadCall : public GatedCall<grpc::ServerWriteReactor<Response>> {
 public:
  // Fills the next message; false: there are no more.
  using Next = std::function<absl::StatusOr<bool>(Response*)>;

  // Makes it for a generation, which it holds for as long as it needs it.
  using Messages = std::function<Next(std::shared_ptr<const experiments::Generation> generation)>;

  DownloadCall(const Context& context, CallGate::Pass pass, const std::string& experiment, const Messages& messages)
      : GatedCall<grpc::ServerWriteReactor<Response>>(std::move(pass)), context_(context) {
    context_.registry->Acquire(experiment, [this, messages](const experiments::Registry::Resident& resident) {
      const absl::Status status = Guarded([&] {
        if (resident.ok()) next_ = messages(*resident);
        return resident.status();
      });
      if (!status.ok()) return this->Finish(ToGrpc(status));
      context_.pool->Run([this] { Advance(); });
    });
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

  const Context& context_;
  Next next_;
  std::atomic<bool> cancelled_{false};
  Response response_;
};

}  // namespace kith::rpc
