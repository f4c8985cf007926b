// A call that uploads something, starts work on it that no longer depends on the call, and reports its progress: Train
// and Import.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "server/base/status.h"
#include "server/rpc/context.h"
#include "server/rpc/convert.h"
#include "server/rpc/guard.h"
#include "server/rpc/status.h"
#include "server/rpc/unread.h"

namespace kith::rpc {

// Deletes itself when the call is over.
//
// State changes happen under mutex_; the write or the end that they lead to is started after it is let go, as in
// BlockStream.
template <typename Request, typename Response>
class ProgressCall : public grpc::ServerBidiReactor<Request, Response> {
 public:
  explicit ProgressCall(const Context& context) : context_(context), observer_(std::make_shared<Observer>(this)) {
    Read();
  }

  void OnReadDone(bool ok) final;
  void OnWriteDone(bool ok) final;
  void OnCancel() final;
  void OnDone() final {
    observer_->Detach();
    delete this;
  }

 protected:
  // These run in the pool, one at a time.
  virtual absl::Status Take(Request& request) = 0;  // one message of the upload
  virtual absl::Status CheckUpload() = 0;           // after the last one: what would make the work fail at once
  virtual absl::Status StartWork() = 0;             // once the client is known to be there; it ends with EndWith
  virtual int64_t received() const = 0;             // for the progress

  void EndWith(const absl::StatusOr<experiments::Description>& result);
  std::shared_ptr<experiments::TrainingObserver> observer() const { return observer_; }

  const Context& context_;
  std::unique_ptr<experiments::TrainingLease> lease_;

 private:
  class Observer;

  // Where the call stands. A client that half-closed and one that went away look the same to a read, so the end of the
  // upload is confirmed to the client first: only one that is still there can be sent something.
  enum class Stage { kUploading, kConfirming, kConfirmationSent, kStarted };

  void Read() {
    MarkUnread(&request_);
    this->StartRead(&request_);
  }

  // Replaces a progress message that still waits: only the latest matters.
  void Send(v1::Phase phase, int64_t done, int64_t total);
  void Advance(std::unique_lock<std::mutex> lock);

  const std::shared_ptr<Observer> observer_;
  Request request_;

  std::mutex mutex_;
  Response writing_response_;        // belongs to the write that is under way
  std::optional<Response> next_;     // guarded by mutex_
  std::optional<grpc::Status> end_;  // guarded by mutex_: how the call will end
  Stage stage_ = Stage::kUploading;  // guarded by mutex_
  bool busy_ = true;                 // guarded by mutex_: a read, or something in the pool, is under way
  bool writing_ = false;             // guarded by mutex_
  bool finished_ = false;            // guarded by mutex_
  bool cancelled_ = false;           // guarded by mutex_
};

// What the work knows of the call; the call may be gone long before it.
template <typename Request, typename Response>
class ProgressCall<Request, Response>::Observer : public experiments::TrainingObserver {
 public:
  explicit Observer(ProgressCall* call) : call_(call) {}

  void OnProgress(experiments::Phase phase, int64_t done, int64_t total) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->Send(ToProto(phase), done, total);
  }

  void OnFinished(const absl::StatusOr<experiments::Description>& result) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->EndWith(result);
  }

  void Detach() {
    const std::lock_guard<std::mutex> lock(mutex_);
    call_ = nullptr;
  }

 private:
  std::mutex mutex_;
  ProgressCall* call_;  // guarded by mutex_
};

template <typename Response>
Response ProgressMessage(v1::Phase phase, int64_t done, int64_t total) {
  Response response;
  response.set_phase(phase);
  response.set_done(done);
  response.set_total(total);
  return response;
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::OnReadDone(bool ok) {
  context_.pool->Run([this, ok] {
    const absl::Status status = Guarded([&] {
      if (ok) return Take(request_);
      const absl::Status unread = CheckUnread(request_);
      return unread.ok() ? CheckUpload() : unread;
    });
    if (!status.ok()) EndWith(status);
    std::unique_lock<std::mutex> lock(mutex_);
    if (ok && !end_) {
      lock.unlock();
      Send(v1::PHASE_RECEIVING, received(), 0);
      Read();
      return;
    }
    busy_ = false;  // from here on the call may be gone once the lock is
    if (!end_) {
      stage_ = Stage::kConfirming;
      next_ = ProgressMessage<Response>(v1::PHASE_RECEIVING, received(), received());
    }
    Advance(std::move(lock));
  });
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::OnWriteDone(bool ok) {
  std::unique_lock<std::mutex> lock(mutex_);
  writing_ = false;
  if (!ok) cancelled_ = true;
  if (stage_ != Stage::kConfirmationSent) return Advance(std::move(lock));
  stage_ = Stage::kStarted;
  if (cancelled_) {
    if (!end_) end_ = grpc::Status::CANCELLED;
    return Advance(std::move(lock));
  }
  busy_ = true;
  lock.unlock();
  context_.pool->Run([this] {
    const absl::Status status = Guarded([&] { return StartWork(); });
    if (!status.ok()) EndWith(status);
    std::unique_lock<std::mutex> relock(mutex_);
    busy_ = false;
    Advance(std::move(relock));
  });
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::OnCancel() {
  std::unique_lock<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (!end_) end_ = grpc::Status::CANCELLED;
  Advance(std::move(lock));
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::Send(v1::Phase phase, int64_t done, int64_t total) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!end_) next_ = ProgressMessage<Response>(phase, done, total);
  Advance(std::move(lock));
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::EndWith(const absl::StatusOr<experiments::Description>& result) {
  Response last;
  if (result.ok()) {
    last.set_phase(v1::PHASE_DONE);
    *last.mutable_experiment() = ToProto(*result);
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (end_) return;
  end_ = ToGrpc(result.status());
  next_.reset();
  if (result.ok()) next_ = std::move(last);
  Advance(std::move(lock));
}

// Starts whatever is due now.
template <typename Request, typename Response>
void ProgressCall<Request, Response>::Advance(std::unique_lock<std::mutex> lock) {
  if (finished_) return;
  if (cancelled_) next_.reset();
  const bool write = next_.has_value() && !writing_;
  if (write) {
    writing_response_ = *std::move(next_);
    next_.reset();
    writing_ = true;
    if (stage_ == Stage::kConfirming) stage_ = Stage::kConfirmationSent;
  }
  const bool finish = end_.has_value() && !next_ && !writing_ && !busy_;
  if (finish) finished_ = true;
  lock.unlock();
  if (write) this->StartWrite(&writing_response_);
  if (finish) {
    lease_.reset();  // before the client can hear of the end and try again
    this->Finish(*end_);
  }
}

}  // namespace kith::rpc
