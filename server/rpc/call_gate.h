// Lets Kith's own calls in, refuses them once the server drains, counts how they end, and tells when the last one has
// left. Health checks and reflection do not come by here: they are answered to the end, and never hold it up.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/request_id.h"
#include "server/rpc/status.h"
#include "server/telemetry/metrics.h"

namespace kith::rpc {

// What a call hears that comes too late.
absl::Status ShuttingDown();

// Thread-safe.
class CallGate {
 public:
  // Held by a call for as long as there is something left of it.
  class Pass {
   public:
    telemetry::Rpc rpc() const { return rpc_; }
    const std::string& call_id() const { return call_id_; }
    // To be told how the call ends, before its client hears of it. What the client is to hear.
    grpc::Status End(const grpc::Status& status) const { return gate_->End(rpc_, call_id_, status); }
    // Nothing is left of the call.
    void reset() { gate_.reset(); }

   private:
    friend class CallGate;
    struct Leaving {
      void operator()(CallGate* gate) const { gate->Leave(); }
    };
    Pass(CallGate* gate, telemetry::Rpc rpc, std::string call_id)
        : gate_(gate), rpc_(rpc), call_id_(std::move(call_id)) {}

    std::unique_ptr<CallGate, Leaving> gate_;
    telemetry::Rpc rpc_;
    std::string call_id_;
  };

  explicit CallGate(std::shared_ptr<telemetry::Metrics> metrics) : metrics_(std::move(metrics)) {}

  // `call_id`: CallIdOf the call. SHUTTING_DOWN after Close.
  absl::StatusOr<Pass> Enter(telemetry::Rpc rpc, const std::string& call_id);
  // Counts the end of a call, and logs it where it is an error; gives the error with the call's id.
  grpc::Status End(telemetry::Rpc rpc, const std::string& call_id, const grpc::Status& status) const;

  void Close();

  // Waits until no call is inside, for `patience` at most. To be called after Close.
  void WaitUntilEmpty(std::chrono::milliseconds patience);
  // The same, however long it takes.
  void WaitUntilEmpty();

 private:
  void Leave();

  const std::shared_ptr<telemetry::Metrics> metrics_;
  std::mutex mutex_;
  std::condition_variable empty_;
  bool closed_ = false;  // guarded by mutex_
  int64_t inside_ = 0;   // guarded by mutex_
};

// What every call of Kith's is. Reactor: one of gRPC's.
template <typename Reactor>
class GatedCall : public Reactor {
 public:
  explicit GatedCall(CallGate::Pass pass) : pass_(std::move(pass)) {}

  // In the place of gRPC's: this object may be gone when it returns.
  void Finish(const grpc::Status& status) {
    const grpc::Status end = pass_.End(status);
    Reactor::Finish(end);
  }

 protected:
  telemetry::Rpc rpc() const { return pass_.rpc(); }
  const std::string& call_id() const { return pass_.call_id(); }

 private:
  const CallGate::Pass pass_;
};

// A call that is told why it cannot be. Deletes itself when that is done. Reactor: one of gRPC's.
template <typename Reactor>
class RefusedCall : public Reactor {
 public:
  explicit RefusedCall(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

// The reactor that `make(pass)` gives, or one that refuses the call.
template <typename Reactor, typename Make>
Reactor* Admit(CallGate* gate, telemetry::Rpc rpc, const grpc::CallbackServerContext& call, Make make) {
  const std::string call_id = CallIdOf(call);
  auto pass = gate->Enter(rpc, call_id);
  if (pass.ok()) return make(*std::move(pass));
  return new RefusedCall<Reactor>(gate->End(rpc, call_id, ToGrpc(pass.status())));
}

}  // namespace kith::rpc
