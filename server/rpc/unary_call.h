// One Search or Expand call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "server/base/guard.h"
#include "server/rpc/block_trace.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/operation.h"
#include "server/rpc/source.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// Deletes itself when the call is over. `start` gets the deadline and the rest of a BlockCall and starts the block.
// `experiment`, that of the request, stays as long as the call.
class UnaryCall : public GatedCall<grpc::ServerUnaryReactor> {
 public:
  template <typename Start>
  UnaryCall(const Context& context, grpc::CallbackServerContext* call_context, const std::string& experiment,
            CallGate::Pass pass, Start&& start)
      : GatedCall(std::move(pass)), metrics_(context.metrics), slow_log_(*context.slow_log), experiment_(experiment) {
    trace_.received = Clock::now();
    BlockCall call;
    call.trace = &trace_;
    call.answer = &answer_;
    call.deadline = DeadlineOf(*call_context);
    call.source = SourceOf(*call_context);
    call.cancelled = [call_context] { return call_context->IsCancelled(); };
    call.done = [this](const absl::Status& status) { Answer(status); };
    const absl::Status status = Guarded([&] { return start(std::move(call)); });
    if (!status.ok()) Answer(status);
  }

 private:
  static TimePoint DeadlineOf(const grpc::CallbackServerContext& call_context) {
    const auto deadline = call_context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) return kNoDeadline;
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(deadline - std::chrono::system_clock::now());
  }

  void Answer(const absl::Status& status) {
    if (!status.ok()) {
      CountFailed(trace_, rpc(), status, metrics_.get());
      return Finish(ToGrpc(status));
    }
    LogIfSlow(trace_, rpc(), experiment_, call_id(), &slow_log_);
    // After Finish this object may be gone.
    const auto metrics = metrics_;
    const BlockTrace trace = trace_;
    const telemetry::Rpc name = rpc();
    Finish(grpc::Status::OK);
    CountAnswered(trace, name, metrics.get());
  }

  void OnDone() override { delete this; }

  const std::shared_ptr<telemetry::Metrics> metrics_;
  telemetry::SlowLog& slow_log_;
  const std::string& experiment_;
  BlockTrace trace_;
  AnswerRoom::Part answer_;
};

}  // namespace kith::rpc
