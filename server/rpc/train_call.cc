#include "server/rpc/train_call.h"

#include <utility>

#include "server/base/status.h"
#include "server/rpc/convert.h"

namespace kith::rpc {

absl::Status TrainCall::Take(v1::TrainRequest& request) {
  if (!opened_) {
    if (absl::Status status = Open(request); !status.ok()) return status;
    if (!request.has_frames()) return absl::OkStatus();
  } else if ((!request.experiment().empty() && request.experiment() != lease_->name()) || request.has_recipe() ||
             (!request.request_id().empty() && request.request_id() != request_id_)) {
    return Error(Reason::kBadParameter, "experiment, recipe and request_id belong into the first message");
  }
  return upload_.Append(request.frames(), context_.trainer->budget());
}

absl::Status TrainCall::Open(const v1::TrainRequest& request) {
  if (absl::Status status = pass().Allow(request.experiment()); !status.ok()) return status;
  if (absl::Status status = CheckRequestId(request.request_id()); !status.ok()) return status;
  if (request.has_recipe()) {
    auto recipe = RecipeOf(request.recipe());
    if (!recipe.ok()) return recipe.status();
    recipe_ = *std::move(recipe);
    recipe_bytes_ = request.recipe().SerializeAsString();
  }
  auto lease = context_.registry->Reserve(request.experiment());
  if (!lease.ok()) return lease.status();
  lease_ = *std::move(lease);
  request_id_ = request.request_id();
  opened_ = true;
  return absl::OkStatus();
}

std::optional<storage::Request> TrainCall::Request() const {
  return upload_.RequestOf(request_id_, "train" + recipe_bytes_);
}

// Finds what would make the training fail, so that the client hears of it at once.
absl::Status TrainCall::CheckUpload() {
  if (!opened_) return Error(Reason::kBadParameter, "experiment: no message came; the first one names the experiment");
  if (upload_.rows() > 0) return context_.trainer->Check(recipe_, upload_.rows(), upload_.frames().dimension);
  if (!lease_->IsTrained()) {
    return Error(Reason::kExperimentNotFound, "frames: none were sent, and none are stored under '" + lease_->name() +
                                                  "'; send frames to train it on");
  }
  return absl::OkStatus();
}

absl::Status TrainCall::FindEarlierResult(const std::optional<storage::Request>& request, bool* found) {
  *found = false;
  if (!request) return absl::OkStatus();
  const auto record = context_.store->FindRequest(lease_->name(), request->id);
  if (!record.ok()) return record.status();
  if (!record->has_value()) return absl::OkStatus();
  if ((*record)->kind != storage::RequestKind::kTrain || (*record)->digest != request->digest) {
    return Error(Reason::kRequestIdReused,
                 "request_id '" + request->id + "' was used with other content; use a new one");
  }
  *found = true;
  return absl::OkStatus();
}

absl::Status TrainCall::StartWork() {
  const std::optional<storage::Request> request = Request();
  bool done_before = false;
  if (absl::Status status = FindEarlierResult(request, &done_before); !status.ok()) return status;
  if (done_before) {
    experiments::Description description = lease_->Describe();
    description.training = false;
    lease_.reset();
    EndWith(description);
    return absl::OkStatus();
  }
  context_.metrics->CountRows(rpc(), absl::StatusCode::kOk, upload_.rows());
  experiments::TrainingRequest training;
  training.request = request;
  training.lease = std::move(lease_);
  training.recipe = std::move(recipe_);
  training.memory = upload_.TakeMemory();
  training.frames = upload_.TakeFrames();
  training.observer = observer();
  return context_.trainer->Start(std::move(training));
}

}  // namespace kith::rpc
