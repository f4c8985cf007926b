// A call that takes an upload and answers once: Add and Restore.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/cost.h"
#include "server/rpc/status.h"
#include "server/rpc/unread.h"

namespace kith::rpc {

// Deletes itself when the call is over. One thing at a time is under way: a read, its handling in the pool, or the
// work.
//
// A client that half-closed and one that went away look the same to a read, so the initial metadata are sent before the
// work starts: only to a client that is still there can something be sent.
template <typename Request>
class UploadCall : public GatedCall<grpc::ServerReadReactor<Request>> {
 public:
  UploadCall(const Context& context, CallGate::Pass pass)
      : GatedCall<grpc::ServerReadReactor<Request>>(std::move(pass)), context_(context) {
    Read();
  }

  void OnReadDone(bool ok) final {
    if (!ok) {
      if (absl::Status status = CheckUnread(request_); !status.ok()) return End(status);
      if (absl::Status status = this->pass().Check(); !status.ok()) return End(status);
      this->StartSendInitialMetadata();
      return;
    }
    context_.pool->Run([this] {
      const absl::Status status = Guarded([&] {
        if (absl::Status good = this->pass().Check(); !good.ok()) return good;
        absl::Status taken = Take(request_);
        this->pass().Owe(CostOf(request_, /*requests=*/0));
        return taken;
      });
      if (!status.ok()) return End(status);
      Read();
    });
  }

  void OnSendInitialMetadataDone(bool ok) final {
    if (!ok || cancelled_) return End(Error(Reason::kCancelled, "the client went away; nothing was done"));
    StartWork();
  }

  void OnCancel() final { cancelled_ = true; }

  // In the pool: with it may go a large upload.
  void OnDone() final {
    context_.pool->Run([this] { delete this; });
  }

 protected:
  // One message, in the pool.
  virtual absl::Status Take(const Request& request) = 0;

  // Once all has come. Does not wait; ends with End.
  virtual void StartWork() = 0;

  void End(const absl::Status& status) { this->Finish(ToGrpc(status)); }

  const Context& context_;

 private:
  void Read() {
    MarkUnread(&request_);
    this->StartRead(&request_);
  }

  std::atomic<bool> cancelled_{false};
  Request request_;
};

}  // namespace kith::rpc
