// What the calls that report the progress of some work have in common: Train, Import and Tune.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

#include "server/base/guard.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// What the work knows of the call, which may be gone long before it.
template <typename Call>
class CallLink {
 public:
  explicit CallLink(Call* call) : call_(call) {}

  // Calls `use` with the call and gives true, or false where it is gone. The call stays meanwhile.
  template <typename Use>
  bool With(Use use) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ == nullptr) return false;
    use(call_);
    return true;
  }
  void Detach() {
    const std::lock_guard<std::mutex> lock(mutex_);
    call_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Call* call_;  // guarded by mutex_
};

// Writes the latest message, then the end. Reactor: one of gRPC's that write a Response.
//
// State changes happen under mutex_; what they lead to (a write, the end) is started after it is let go, by whoever
// made the change, because gRPC may end the call as soon as its end is started. That waits for whatever holds the call.
template <typename Reactor, typename Response>
class ProgressWriter : public GatedCall<Reactor> {
 public:
  ProgressWriter(const Context& context, CallGate::Pass pass)
      : GatedCall<Reactor>(std::move(pass)), context_(context) {}

  void OnWriteDone(bool ok) final;
  void OnCancel() final;

 protected:
  using Task = std::function<absl::Status()>;

  // Replaces a message that still waits: only the latest matters. Nothing is sent once the end is decided. `then` runs
  // in the pool when the message is written to a client that is still there.
  void Send(Response message, Task then = nullptr) {
    Put(std::unique_lock<std::mutex>(mutex_), std::move(message), std::move(then));
  }
  // The same, but only where nothing was sent before.
  void SendFirst(Response message);
  // Decides the end, unless it is decided: with an OK after `last`.
  void End(const absl::Status& status, std::optional<Response> last = std::nullopt);
  bool ended();

  // The call does not end before it is let go as often as it was held. After the last LetGo it may be gone.
  void Hold();
  void LetGo();
  // Runs `task` in the pool, which holds the call. An error ends it.
  void RunInPool(Task task);
  // To be called last in OnDone. In the pool, because what the call holds may be files of gigabytes to be removed.
  void DeleteInPool() {
    context_.pool->Run([this] { delete this; });
  }
  // Right before the client can hear of the end.
  virtual void OnEnd() {}

  const Context& context_;

 private:
  struct Message {
    Response response;
    Task then;
  };

  // These want mutex_ held, which they let go.
  void Put(std::unique_lock<std::mutex> lock, Response message, Task then);
  void Cancel(std::unique_lock<std::mutex> lock);
  void Advance(std::unique_lock<std::mutex> lock);
  // Runs a task that holds the call already.
  void Launch(Task task);

  std::mutex mutex_;
  Message writing_message_;          // belongs to the write that is under way
  std::optional<Message> next_;      // guarded by mutex_
  std::optional<grpc::Status> end_;  // guarded by mutex_: how the call will end
  int holders_ = 0;                  // guarded by mutex_
  bool any_sent_ = false;            // guarded by mutex_
  bool writing_ = false;             // guarded by mutex_
  bool finished_ = false;            // guarded by mutex_
  bool cancelled_ = false;           // guarded by mutex_
};

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::OnWriteDone(bool ok) {
  std::unique_lock<std::mutex> lock(mutex_);
  writing_ = false;
  Task then = std::exchange(writing_message_.then, nullptr);
  if (!ok) return Cancel(std::move(lock));
  if (!then || end_) return Advance(std::move(lock));
  ++holders_;
  lock.unlock();
  Launch(std::move(then));
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::OnCancel() {
  Cancel(std::unique_lock<std::mutex>(mutex_));
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::SendFirst(Response message) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!any_sent_) Put(std::move(lock), std::move(message), nullptr);
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::End(const absl::Status& status, std::optional<Response> last) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (end_) return;
  end_ = ToGrpc(status);
  next_.reset();
  if (last) next_ = Message{*std::move(last), nullptr};
  Advance(std::move(lock));
}

template <typename Reactor, typename Response>
bool ProgressWriter<Reactor, Response>::ended() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return end_.has_value();
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::Hold() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++holders_;
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::LetGo() {
  std::unique_lock<std::mutex> lock(mutex_);
  --holders_;
  Advance(std::move(lock));
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::RunInPool(Task task) {
  Hold();
  Launch(std::move(task));
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::Launch(Task task) {
  context_.pool->Run([this, task = std::move(task)] {
    const absl::Status status = Guarded(task);
    if (!status.ok()) End(status);
    LetGo();
  });
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::Put(std::unique_lock<std::mutex> lock, Response message, Task then) {
  any_sent_ = true;
  if (!end_) next_ = Message{std::move(message), std::move(then)};
  Advance(std::move(lock));
}

template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::Cancel(std::unique_lock<std::mutex> lock) {
  cancelled_ = true;
  if (!end_) end_ = grpc::Status::CANCELLED;
  Advance(std::move(lock));
}

// Starts whatever is due now.
template <typename Reactor, typename Response>
void ProgressWriter<Reactor, Response>::Advance(std::unique_lock<std::mutex> lock) {
  if (finished_) return;
  if (cancelled_) next_.reset();
  const bool write = next_.has_value() && !writing_;
  if (write) {
    writing_message_ = *std::move(next_);
    next_.reset();
    writing_ = true;
  }
  const bool finish = end_.has_value() && !next_ && !writing_ && holders_ == 0;
  if (finish) finished_ = true;
  lock.unlock();
  if (write) this->StartWrite(&writing_message_.response);
  if (finish) {
    OnEnd();
    this->Finish(*end_);
  }
}

}  // namespace kith::rpc
