// Lets Kith's own calls in, if who makes them may; refuses them once the server drains, counts how they end, and tells
// when the last one has left. Health checks and reflection do not come by here: they are answered to the end, and never
// hold it up.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/account.h"
#include "server/auth/grant.h"
#include "server/auth/rate_limits.h"
#include "server/auth/tokens.h"
#include "server/base/clock.h"
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
    // Of the token that the call came with; null where none is needed.
    const std::shared_ptr<const auth::Grant>& grant() const { return grant_; }

    // For a call that names its experiment in its first message: to be asked before anything else is done with that.
    // PERMISSION_DENIED where the call is not for this one, RATE_LIMITED.
    absl::Status Allow(const std::string& experiment);
    // UNAUTHENTICATED once the call's token is revoked: to be asked at each further message.
    absl::Status Check() const { return grant_ == nullptr ? absl::OkStatus() : grant_->Check(); }

    // For a block of a stream: RATE_LIMITED where client or experiment sends too much.
    absl::Status Take(const auth::Cost& cost) const {
      return client_ == nullptr && experiment_ == nullptr ? absl::OkStatus() : TakeOfBoth(cost, Clock::now());
    }
    // For a message of an upload, which is taken all the same: what comes next has to wait for it.
    void Owe(const auth::Cost& cost) const;
    // Counts the call as a stream of both until it ends: RATE_LIMITED.
    absl::Status EnterStream();

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
    absl::Status TakeOfBoth(const auth::Cost& cost, TimePoint now) const;

    std::unique_ptr<CallGate, Leaving> gate_;
    telemetry::Rpc rpc_;
    std::string call_id_;
    std::shared_ptr<const auth::Grant> grant_;
    // Null where nothing of theirs is limited.
    std::shared_ptr<auth::Account> client_;
    std::shared_ptr<auth::Account> experiment_;
    auth::Account::Place stream_of_client_;
    auth::Account::Place stream_of_experiment_;
  };

  // `tokens`: those that calls need; null where they need none. They outlive this. `rates`: null for no limits.
  explicit CallGate(std::shared_ptr<telemetry::Metrics> metrics, const auth::Tokens* tokens = nullptr,
                    std::unique_ptr<auth::RateLimits> rates = nullptr)
      : metrics_(std::move(metrics)), tokens_(tokens), rates_(std::move(rates)) {}

  // `call_id`: CallIdOf the call. SHUTTING_DOWN after Close.
  absl::StatusOr<Pass> Enter(telemetry::Rpc rpc, const std::string& call_id);
  // The same for `call`, which also needs a token that is good for it, UNAUTHENTICATED, PERMISSION_DENIED, and may not
  // be one too many, RATE_LIMITED. `experiment` is the one that the call names; null where it names none, or with its
  // first message (Pass::Allow).
  absl::StatusOr<Pass> Enter(telemetry::Rpc rpc, const std::string& call_id, const grpc::CallbackServerContext& call,
                             const std::string* experiment, const auth::Cost& cost = {});
  // Counts the end of a call, and logs it where it is an error; gives the error with the call's id.
  grpc::Status End(telemetry::Rpc rpc, const std::string& call_id, const grpc::Status& status) const;

  // The rates are those of `limits` from now on, for calls that come, and for what comes by a stream of whom they
  // limited already. To be called only where there are some.
  void SetRates(const config::Limits& limits) { rates_->Set(limits); }

  void Close();

  // Waits until no call is inside, for `patience` at most. To be called after Close.
  void WaitUntilEmpty(std::chrono::milliseconds patience);
  // The same, however long it takes.
  void WaitUntilEmpty();

 private:
  void Leave();
  absl::Status CheckToken(const grpc::CallbackServerContext& call, const std::string* experiment, Pass* pass) const;
  absl::Status CheckRates(const grpc::CallbackServerContext& call, const std::string* experiment,
                          const auth::Cost& cost, Pass* pass) const;

  const std::shared_ptr<telemetry::Metrics> metrics_;
  const auth::Tokens* const tokens_;
  const std::unique_ptr<auth::RateLimits> rates_;
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
  CallGate::Pass& pass() { return pass_; }

 private:
  CallGate::Pass pass_;
};

// A call that is told why it cannot be. Deletes itself when that is done. Reactor: one of gRPC's.
template <typename Reactor>
class RefusedCall : public Reactor {
 public:
  explicit RefusedCall(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

// One that its client streams to is told at its first message, or soon: gRPC 1.51 never gives the memory of a call back
// that was answered when its client, which takes nothing, had reset it already.
template <typename Reactor, typename Request>
class RefusedStream : public Reactor {
 public:
  explicit RefusedStream(grpc::Status status) : status_(std::move(status)) {
    this->StartRead(&request_);
    alarm_.Set(std::chrono::system_clock::now() + kPatience, [this, told = told_](bool) {
      if (!told->test_and_set()) this->Finish(status_);
    });
  }
  void OnReadDone(bool) override {
    if (!told_->test_and_set()) this->Finish(status_);
  }
  void OnDone() override { delete this; }

 private:
  static constexpr std::chrono::milliseconds kPatience{100};

  const grpc::Status status_;
  const std::shared_ptr<std::atomic_flag> told_ = std::make_shared<std::atomic_flag>();
  Request request_;
  grpc::Alarm alarm_;
};
template <typename Request, typename Response>
class RefusedCall<grpc::ServerBidiReactor<Request, Response>>
    : public RefusedStream<grpc::ServerBidiReactor<Request, Response>, Request> {
  using RefusedStream<grpc::ServerBidiReactor<Request, Response>, Request>::RefusedStream;
};
template <typename Request>
class RefusedCall<grpc::ServerReadReactor<Request>> : public RefusedStream<grpc::ServerReadReactor<Request>, Request> {
  using RefusedStream<grpc::ServerReadReactor<Request>, Request>::RefusedStream;
};

// The reactor that `make(pass)` gives, or one that refuses the call. `experiment`: as for CallGate::Enter.
template <typename Reactor, typename Make>
Reactor* Admit(CallGate* gate, telemetry::Rpc rpc, const grpc::CallbackServerContext& call,
               const std::string* experiment, const auth::Cost& cost, Make make) {
  const std::string call_id = CallIdOf(call);
  auto pass = gate->Enter(rpc, call_id, call, experiment, cost);
  if (pass.ok()) return make(*std::move(pass));
  return new RefusedCall<Reactor>(gate->End(rpc, call_id, ToGrpc(pass.status())));
}
template <typename Reactor, typename Make>
Reactor* Admit(CallGate* gate, telemetry::Rpc rpc, const grpc::CallbackServerContext& call,
               const std::string* experiment, Make make) {
  return Admit<Reactor>(gate, rpc, call, experiment, auth::Cost{}, std::move(make));
}

}  // namespace kith::rpc
