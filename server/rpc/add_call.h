// One Add call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <string>

#include "kith/v1/retrieval.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/context.h"
#include "server/rpc/upload.h"

namespace kith::rpc {

// Deletes itself when the call is over. One thing at a time is under way: a read, its handling in the pool, or the
// addition.
class AddCall : public grpc::ServerReadReactor<v1::AddRequest> {
 public:
  AddCall(const Context& context, v1::AddResponse* response, CallGate::Pass pass);

  void OnReadDone(bool ok) override;
  void OnSendInitialMetadataDone(bool ok) override;
  void OnCancel() override { cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  void Read();
  absl::Status Take();
  absl::Status CheckUpload() const;
  void Add();
  void End(const absl::Status& status);

  const CallGate::Pass pass_;
  const Context& context_;
  v1::AddResponse* const response_;
  std::atomic<bool> cancelled_{false};
  v1::AddRequest request_;
  bool opened_ = false;
  std::string experiment_;
  std::string request_id_;
  Upload upload_;
};

}  // namespace kith::rpc
