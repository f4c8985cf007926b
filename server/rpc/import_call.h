// One Import call: the upload into a file, then the progress of reading it, which no longer depends on the call.
#pragma once

#include <optional>

#include "kith/v1/experiments.pb.h"
#include "server/rpc/progress_call.h"
#include "server/storage/file.h"

namespace kith::rpc {

class ImportCall : public ProgressCall<v1::ImportRequest, v1::ImportResponse> {
 public:
  using ProgressCall::ProgressCall;

 private:
  absl::Status Take(v1::ImportRequest& request) override;
  absl::Status CheckUpload() override;
  absl::Status StartWork() override;
  int64_t received() const override { return received_; }

  absl::Status Open(const v1::ImportRequest& request);
  absl::Status Write(const std::string& data);

  int64_t received_ = 0;
  std::optional<experiments::IndexFile> file_;  // set by the first message
  std::optional<storage::OutputFile> output_;   // open while it is uploaded
};

}  // namespace kith::rpc
