// A call that uploads something, starts work on it that no longer depends on the call, and reports its progress: Train
// and Import.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "server/base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/cost.h"
#include "server/rpc/progress_writer.h"
#include "server/rpc/unread.h"

namespace kith::rpc {

// Deletes itself when the call is over.
//
// A client that half-closed and one that went away look the same to a read, so the end of the upload is confirmed to
// the client first, and the work starts once that is written: only to one that is still there can something be sent.
template <typename Request, typename Response>
class ProgressCall : public ProgressWriter<grpc::ServerBidiReactor<Request, Response>, Response> {
  using Writer = ProgressWriter<grpc::ServerBidiReactor<Request, Response>, Response>;

 public:
  ProgressCall(const Context& context, CallGate::Pass pass)
      : Writer(context, std::move(pass)), observer_(std::make_shared<Observer>(this)) {
    this->Hold();  // until the upload is over
    Read();
  }

  void OnReadDone(bool ok) final;
  void OnDone() final {
    observer_->Detach();
    this->DeleteInPool();
  }

 protected:
  // These run in the pool, one at a time.
  virtual absl::Status Take(Request& request) = 0;  // one message of the upload
  virtual absl::Status CheckUpload() = 0;           // after the last one: what would make the work fail at once
  virtual absl::Status StartWork() = 0;             // once the client is known to be there; it ends with EndWith
  virtual int64_t received() const = 0;             // for the progress

  void EndWith(const absl::StatusOr<experiments::Description>& result);
  std::shared_ptr<experiments::TrainingObserver> observer() const { return observer_; }

  std::unique_ptr<experiments::TrainingLease> lease_;

 private:
  class Observer;

  void Read() {
    MarkUnread(&request_);
    this->StartRead(&request_);
  }
  void OnEnd() final { lease_.reset(); }  // so that who hears of the end can try again

  const std::shared_ptr<Observer> observer_;
  Request request_;
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
class ProgressCall<Request, Response>::Observer : public experiments::TrainingObserver, public CallLink<ProgressCall> {
 public:
  using CallLink<ProgressCall>::CallLink;

  void OnProgress(experiments::Phase phase, int64_t done, int64_t total) override {
    this->With([&](ProgressCall* call) { call->Send(ProgressMessage<Response>(ToProto(phase), done, total)); });
  }
  void OnFinished(const absl::StatusOr<experiments::Description>& result) override {
    this->With([&](ProgressCall* call) { call->EndWith(result); });
  }
};

template <typename Request, typename Response>
void ProgressCall<Request, Response>::OnReadDone(bool ok) {
  this->context_.pool->Run([this, ok] {
    const absl::Status status = Guarded([&] {
      if (absl::Status good = this->pass().Check(); !good.ok()) return good;
      if (ok) {
        const auth::Cost cost = CostOf(request_, /*requests=*/0);  // Take may take the request's content
        absl::Status taken = Take(request_);
        this->pass().Owe(cost);
        return taken;
      }
      const absl::Status unread = CheckUnread(request_);
      return unread.ok() ? CheckUpload() : unread;
    });
    if (!status.ok()) this->End(status);
    if (ok && !this->ended()) {
      this->Send(ProgressMessage<Response>(v1::PHASE_RECEIVING, received(), 0));
      return Read();
    }
    if (!ok) {
      this->Send(ProgressMessage<Response>(v1::PHASE_RECEIVING, received(), received()),
                 [this] { return StartWork(); });
    }
    this->LetGo();
  });
}

template <typename Request, typename Response>
void ProgressCall<Request, Response>::EndWith(const absl::StatusOr<experiments::Description>& result) {
  if (!result.ok()) return this->End(result.status());
  Response last;
  last.set_phase(v1::PHASE_DONE);
  *last.mutable_experiment() = ToProto(*result);
  this->End(absl::OkStatus(), std::move(last));
}

}  // namespace kith::rpc
