// One Train call: the upload, then the progress of a training that no longer depends on it.
#pragma once

#include <optional>
#include <string>

#include "kith/v1/retrieval.pb.h"
#include "server/rpc/progress_call.h"
#include "server/rpc/upload.h"

namespace kith::rpc {

class TrainCall : public ProgressCall<v1::TrainRequest, v1::TrainResponse> {
 public:
  using ProgressCall::ProgressCall;

 private:
  absl::Status Take(v1::TrainRequest& request) override;
  absl::Status CheckUpload() override;
  absl::Status StartWork() override;
  int64_t received() const override { return upload_.rows(); }

  absl::Status Open(const v1::TrainRequest& request);
  absl::Status FindEarlierResult(const std::optional<storage::Request>& request, bool* found);
  std::optional<storage::Request> Request() const;

  bool opened_ = false;
  std::string request_id_;
  std::optional<retrieval::Recipe> recipe_;
  std::string recipe_bytes_;  // for the digest of the request
  Upload upload_;
};

}  // namespace kith::rpc
