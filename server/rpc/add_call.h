// One Add call.
#pragma once

#include <string>

#include "kith/v1/retrieval.pb.h"
#include "server/rpc/upload.h"
#include "server/rpc/upload_call.h"

namespace kith::rpc {

class AddCall : public UploadCall<v1::AddRequest> {
 public:
  AddCall(const Context& context, v1::AddResponse* response, CallGate::Pass pass)
      : UploadCall(context, std::move(pass)), response_(response) {}

 private:
  absl::Status Take(const v1::AddRequest& request) override;
  void StartWork() override;
  absl::Status CheckUpload() const;
  void Add();

  v1::AddResponse* const response_;
  bool opened_ = false;
  std::string experiment_;
  std::string request_id_;
  Upload upload_;
};

}  // namespace kith::rpc
