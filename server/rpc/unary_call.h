// One Search or Expand call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <utility>

#include "server/base/guard.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/operation.h"
#include "server/rpc/source.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// Deletes itself when the call is over. `start` gets the deadline and the rest of a BlockCall and starts the block.
class UnaryCall : public grpc::ServerUnaryReactor {
 public:
  template <typename Start>
  UnaryCall(grpc::CallbackServerContext* call_context, CallGate::Pass pass, Start&& start) : pass_(std::move(pass)) {
    BlockCall call;
    call.deadline = DeadlineOf(*call_context);
    call.source = SourceOf(*call_context);
    call.cancelled = [call_context] { return call_context->IsCancelled(); };
    call.done = [this](const absl::Status& status) { Finish(ToGrpc(status)); };
    const absl::Status status = Guarded([&] { return start(std::move(call)); });
    if (!status.ok()) Finish(ToGrpc(status));
  }

 private:
  static TimePoint DeadlineOf(const grpc::CallbackServerContext& call_context) {
    const auto deadline = call_context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return kNoDeadline;
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(deadline - std::chrono::system_clock::now());
  }

  void OnDone() override { delete this; }

  const CallGate::Pass pass_;
};

}  // namespace kith::rpc
