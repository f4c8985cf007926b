#include "server/rpc/train_call.h"

#include <utility>

#include "server/base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/guard.h"
#include "server/rpc/status.h"
#include "server/rpc/unread.h"

namespace kith::rpc {
namespace {

v1::TrainResponse Progress(v1::Phase phase, int64_t done, int64_t total) {
  v1::TrainResponse response;
  response.set_phase(phase);
  response.set_done(done);
  response.set_total(total);
  return response;
}

}  // namespace

// What the training knows of the call; the call may be gone long before it.
class TrainCall::Observer : public experiments::TrainingObserver {
 public:
  explicit Observer(TrainCall* call) : call_(call) {}

  void OnProgress(experiments::Phase phase, int64_t done, int64_t total) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->Send(ToProto(phase), done, total);
  }

  void OnFinished(const absl::StatusOr<experiments::Description>& result) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->EndWith(result);
  }

  void Detach() {
    const std::lock_guard<std::mutex> lock(mutex_);
    call_ = nullptr;
  }

 private:
  std::mutex mutex_;
  TrainCall* call_;  // guarded by mutex_
};

TrainCall::TrainCall(const Context& context) : context_(context), observer_(std::make_shared<Observer>(this)) {
  Read();
}

void TrainCall::Read() {
  MarkUnread(&request_);
  StartRead(&request_);
}

void TrainCall::OnDone() {
  observer_->Detach();
  delete this;
}

void TrainCall::OnReadDone(bool ok) {
  context_.pool->Run([this, ok] {
    const absl::Status status = Guarded([&] { return ok ? Take() : CheckUpload(); });
    if (!status.ok()) EndWith(status);
    std::unique_lock<std::mutex> lock(mutex_);
    if (ok && !end_) {
      lock.unlock();
      Send(v1::PHASE_RECEIVING, upload_.rows(), 0);
      Read();
      return;
    }
    busy_ = false;  // from here on the call may be gone once the lock is
    if (!end_) {
      stage_ = Stage::kConfirming;
      next_ = Progress(v1::PHASE_RECEIVING, upload_.rows(), upload_.rows());
    }
    Advance(std::move(lock));
  });
}

void TrainCall::OnWriteDone(bool ok) {
  std::unique_lock<std::mutex> lock(mutex_);
  writing_ = false;
  if (!ok) cancelled_ = true;
  if (stage_ != Stage::kConfirmationSent) return Advance(std::move(lock));
  stage_ = Stage::kStarted;
  if (cancelled_) {
    if (!end_) end_ = grpc::Status::CANCELLED;
    return Advance(std::move(lock));
  }
  busy_ = true;
  lock.unlock();
  context_.pool->Run([this] {
    const absl::Status status = Guarded([&] { return StartTraining(); });
    if (!status.ok()) EndWith(status);
    std::unique_lock<std::mutex> relock(mutex_);
    busy_ = false;
    Advance(std::move(relock));
  });
}

void TrainCall::OnCancel() {
  std::unique_lock<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (!end_) end_ = grpc::Status::CANCELLED;
  Advance(std::move(lock));
}

absl::Status TrainCall::Take() {
  if (!opened_) {
    if (absl::Status status = Open(); !status.ok()) return status;
    if (!request_.has_frames()) return absl::OkStatus();
  } else if ((!request_.experiment().empty() && request_.experiment() != lease_->name()) || request_.has_recipe() ||
             (!request_.request_id().empty() && request_.request_id() != request_id_)) {
    return Error(Reason::kBadParameter, "experiment, recipe and request_id belong into the first message");
  }
  return upload_.Append(request_.frames());
}

absl::Status TrainCall::Open() {
  if (request_.has_recipe()) {
    auto recipe = RecipeOf(request_.recipe());
    if (!recipe.ok()) return recipe.status();
    recipe_ = *std::move(recipe);
    recipe_bytes_ = request_.recipe().SerializeAsString();
  }
  auto lease = context_.registry->Reserve(request_.experiment());
  if (!lease.ok()) return lease.status();
  lease_ = *std::move(lease);
  request_id_ = request_.request_id();
  opened_ = true;
  return absl::OkStatus();
}

std::optional<storage::Request> TrainCall::Request() const {
  return upload_.RequestOf(request_id_, "train" + recipe_bytes_);
}

// Finds what would make the training fail, so that the client hears of it at once.
absl::Status TrainCall::CheckUpload() {
  if (absl::Status status = CheckUnread(request_); !status.ok()) return status;
  if (!opened_) return Error(Reason::kBadParameter, "experiment: no message came; the first one names the experiment");
  if (upload_.rows() > 0) return context_.trainer->Check(recipe_, upload_.rows(), upload_.frames().dimension);
  if (lease_->current() == nullptr) {
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

absl::Status TrainCall::StartTraining() {
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
  experiments::TrainingRequest training;
  training.request = request;
  training.lease = std::move(lease_);
  training.recipe = std::move(recipe_);
  training.frames = upload_.TakeFrames();
  training.observer = observer_;
  return context_.trainer->Start(std::move(training));
}

void TrainCall::Send(v1::Phase phase, int64_t done, int64_t total) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!end_) next_ = Progress(phase, done, total);
  Advance(std::move(lock));
}

void TrainCall::EndWith(const absl::StatusOr<experiments::Description>& result) {
  v1::TrainResponse last;
  if (result.ok()) {
    last.set_phase(v1::PHASE_DONE);
    *last.mutable_experiment() = ToProto(*result);
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (end_) return;
  end_ = ToGrpc(result.status());
  next_.reset();
  if (result.ok()) next_ = std::move(last);
  Advance(std::move(lock));
}

// Starts whatever is due now.
void TrainCall::Advance(std::unique_lock<std::mutex> lock) {
  if (finished_) return;
  if (cancelled_) next_.reset();
  const bool write = next_.has_value() && !writing_;
  if (write) {
    writing_response_ = *std::move(next_);
    next_.reset();
    writing_ = true;
    if (stage_ == Stage::kConfirming) stage_ = Stage::kConfirmationSent;
  }
  const bool finish = end_.has_value() && !next_ && !writing_ && !busy_;
  if (finish) finished_ = true;
  lock.unlock();
  if (write) StartWrite(&writing_response_);
  if (finish) {
    lease_.reset();  // before the client can hear of the end and try again
    Finish(*end_);
  }
}

}  // namespace kith::rpc
