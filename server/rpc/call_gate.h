// Lets Kith's own calls in, refuses them once the server drains, and tells when the last one has left. Health checks
// and reflection do not come by here: they are answered to the end, and never hold it up.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// What a call hears that comes too late.
absl::Status ShuttingDown();

// Thread-safe.
class CallGate {
 public:
  struct Leaving {
    void operator()(CallGate* gate) const { gate->Leave(); }
  };
  // Held by a call for as long as there is something left of it.
  using Pass = std::unique_ptr<CallGate, Leaving>;

  // SHUTTING_DOWN after Close.
  absl::StatusOr<Pass> Enter();

  void Close();

  // Waits until no call is inside, for `patience` at most. To be called after Close.
  void WaitUntilEmpty(std::chrono::milliseconds patience);
  // The same, however long it takes.
  void WaitUntilEmpty();

 private:
  void Leave();

  std::mutex mutex_;
  std::condition_variable empty_;
  bool closed_ = false;  // guarded by mutex_
  int64_t inside_ = 0;   // guarded by mutex_
};

// A call that is told why it cannot be. Deletes itself when that is done. Reactor: one of gRPC's.
template <typename Reactor>
class RefusedCall : public Reactor {
 public:
  explicit RefusedCall(const absl::Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// The reactor that `make(pass)` gives, or one that refuses the call.
template <typename Reactor, typename Make>
Reactor* Admit(CallGate* gate, Make make) {
  auto pass = gate->Enter();
  if (!pass.ok()) return new RefusedCall<Reactor>(pass.status());
  return make(*std::move(pass));
}

}  // namespace kith::rpc
