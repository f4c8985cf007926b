// One Restore call.
#pragma once

#include <optional>

#include "kith/v1/experiments.pb.h"
#include "server/rpc/upload_call.h"
#include "server/storage/file.h"
#include "server/storage/scratch.h"

namespace kith::rpc {

// Restores on a thread of `thread`.
class RestoreCall : public UploadCall<v1::RestoreRequest> {
 public:
  RestoreCall(const Context& context, ThreadPool* thread, v1::RestoreResponse* response, CallGate::Pass pass)
      : UploadCall(context, std::move(pass)), thread_(thread), response_(response) {}

 private:
  absl::Status Take(const v1::RestoreRequest& request) override;
  void StartWork() override;
  absl::Status Restore();

  ThreadPool* const thread_;
  v1::RestoreResponse* const response_;
  bool opened_ = false;
  bool replace_ = false;
  std::optional<storage::ScratchFolder> folder_;
  std::optional<storage::OutputFile> output_;
};

}  // namespace kith::rpc
