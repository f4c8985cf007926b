// One Restore call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <optional>
#include <string>

#include "kith/v1/experiments.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/storage/file.h"
#include "server/storage/scratch.h"

namespace kith::rpc {

// Deletes itself when the call is over. One thing at a time is under way: a read, its handling in the pool, or, on a
// thread of `thread`, the restoring.
class RestoreCall : public grpc::ServerReadReactor<v1::RestoreRequest> {
 public:
  RestoreCall(const Context& context, ThreadPool* thread, v1::RestoreResponse* response, CallGate::Pass pass);

  void OnReadDone(bool ok) override;
  void OnSendInitialMetadataDone(bool ok) override;
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override {  // in the pool: with it goes a large file
    context_.pool->Run([this] { delete this; });
  }

 private:
  void Read();
  absl::Status Take();
  absl::Status Restore();
  void End(const absl::Status& status);

  const CallGate::Pass pass_;
  const Context& context_;
  ThreadPool* const thread_;
  v1::RestoreResponse* const response_;
  std::atomic<bool> cancelled_{false};
  v1::RestoreRequest request_;
  bool opened_ = false;
  bool replace_ = false;
  std::optional<storage::ScratchFolder> folder_;
  std::optional<storage::OutputFile> output_;
};

}  // namespace kith::rpc
