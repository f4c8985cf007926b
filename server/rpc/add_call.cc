#include "server/rpc/add_call.h"

#include "absl/strings/str_cat.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/convert.h"

namespace kith::rpc {

void AddCall::StartWork() {
  context_.pool->Run([this] {  // the digest of much takes a while
    const absl::Status status = Guarded([&] { return CheckUpload(); });
    if (!status.ok()) return End(status);
    Add();
  });
}

absl::Status AddCall::Take(const v1::AddRequest& request) {
  if (!opened_) {
    if (absl::Status status = pass().Allow(request.experiment()); !status.ok()) return status;
    experiment_ = request.experiment();
    request_id_ = request.request_id();
    if (absl::Status status = CheckRequestId(request_id_); !status.ok()) return status;
    // Early, so that nobody uploads in vain; Registry::Add looks again.
    if (absl::Status status = context_.registry->CheckAddition(experiment_); !status.ok()) return status;
    opened_ = true;
    if (!request.has_frames()) return absl::OkStatus();
  } else if ((!request.experiment().empty() && request.experiment() != experiment_) ||
             (!request.request_id().empty() && request.request_id() != request_id_)) {
    return Error(Reason::kBadParameter, "experiment and request_id belong into the first message; this one has others");
  }
  return upload_.Append(request.frames(), context_.trainer->budget());
}

absl::Status AddCall::CheckUpload() const {
  if (!opened_) return Error(Reason::kBadParameter, "experiment: no message came; the first one names the experiment");
  if (upload_.rows() == 0) return Error(Reason::kEmptyBatch, "frames: there are no rows to add");
  return absl::OkStatus();
}

void AddCall::Add() {
  context_.registry->Add(experiment_, upload_.frames().view(), upload_.RequestOf(request_id_, "add"),
                         [this](const absl::StatusOr<storage::AddRecord>& record) {
                           if (!record.ok()) return End(record.status());
                           context_.metrics->CountRows(rpc(), absl::StatusCode::kOk, record->rows);
                           response_->set_first_id(record->first_id);
                           response_->set_rows(record->rows);
                           response_->set_total_rows(record->total_rows);
                           response_->set_generation(record->generation);
                           End(absl::OkStatus());
                         });
}

}  // namespace kith::rpc
