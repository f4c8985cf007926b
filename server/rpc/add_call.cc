#include "server/rpc/add_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/status.h"
#include "server/rpc/unread.h"

namespace kith::rpc {

AddCall::AddCall(const Context& context, v1::AddResponse* response, CallGate::Pass pass)
    : pass_(std::move(pass)), context_(context), response_(response) {
  Read();
}

void AddCall::Read() {
  MarkUnread(&request_);
  StartRead(&request_);
}

void AddCall::OnReadDone(bool ok) {
  if (!ok) {
    if (absl::Status status = CheckUnread(request_); !status.ok()) return End(status);
    // Half-closed, or gone: only a client that is still there can be sent something.
    StartSendInitialMetadata();
    return;
  }
  context_.pool->Run([this] {
    const absl::Status status = Guarded([&] { return Take(); });
    if (!status.ok()) return End(status);
    Read();
  });
}

void AddCall::OnSendInitialMetadataDone(bool ok) {
  if (!ok || cancelled_) return End(Error(Reason::kCancelled, "the client went away; nothing was added"));
  context_.pool->Run([this] {  // the digest of much takes a while
    const absl::Status status = Guarded([&] { return CheckUpload(); });
    if (!status.ok()) return End(status);
    Add();
  });
}

absl::Status AddCall::Take() {
  if (!opened_) {
    experiment_ = request_.experiment();
    request_id_ = request_.request_id();
    if (absl::Status status = CheckRequestId(request_id_); !status.ok()) return status;
    // Early, so that nobody uploads in vain; Registry::Add looks again.
    if (absl::Status status = context_.registry->CheckAddition(experiment_); !status.ok()) return status;
    opened_ = true;
    if (!request_.has_frames()) return absl::OkStatus();
  } else if ((!request_.experiment().empty() && request_.experiment() != experiment_) ||
             (!request_.request_id().empty() && request_.request_id() != request_id_)) {
    return Error(Reason::kBadParameter, "experiment and request_id belong into the first message; this one has others");
  }
  return upload_.Append(request_.frames(), context_.trainer->budget());
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
                           response_->set_first_id(record->first_id);
                           response_->set_rows(record->rows);
                           response_->set_total_rows(record->total_rows);
                           response_->set_generation(record->generation);
                           End(absl::OkStatus());
                         });
}

void AddCall::End(const absl::Status& status) { Finish(ToGrpc(status)); }

}  // namespace kith::rpc
