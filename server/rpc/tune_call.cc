#include "server/rpc/tune_call.h"

#include <utility>

#include "server/base/status.h"
#include "server/rpc/convert.h"
#include "server/rpc/guard.h"
#include "server/rpc/status.h"

namespace kith::rpc {

// What the tuning knows of the call; the call may be gone before it.
class TuneCall::Observer : public experiments::TuningObserver {
 public:
  explicit Observer(TuneCall* call) : call_(call) {}

  bool OnStep(const std::string& step, int done, int total) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->Send(step, done, total);
    return call_ != nullptr;
  }

  void OnFinished(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (call_ != nullptr) call_->EndWith(result);
  }

  void Detach() {
    const std::lock_guard<std::mutex> lock(mutex_);
    call_ = nullptr;
  }

 private:
  std::mutex mutex_;
  TuneCall* call_;  // guarded by mutex_
};

TuneCall::TuneCall(const Context& context, CallGate::Pass pass, StreamSet* open, const v1::TuneRequest* request)
    : pass_(std::move(pass)),
      context_(context),
      open_(open),
      request_(*request),
      observer_(std::make_shared<Observer>(this)) {
  context_.pool->Run([this] {
    const absl::Status status = Guarded([&] { return Start(); });
    if (!status.ok()) EndWith(status);
    std::unique_lock<std::mutex> lock(mutex_);
    busy_ = false;  // from here on the call may be gone once the lock is
    Advance(std::move(lock));
  });
}

absl::Status TuneCall::Start() {
  if (absl::Status status = open_->Enter(this); !status.ok()) return status;
  entered_ = true;
  experiments::TuningRequest tuning;
  tuning.options = TuneOptionsOf(request_);
  if (absl::Status status = retrieval::CheckTuneOptions(tuning.options); !status.ok()) return status;
  auto generation = context_.registry->Find(request_.experiment());
  if (!generation.ok()) return generation.status();
  tuning.generation = *std::move(generation);
  if (request_.has_queries()) {
    const auto queries = QueriesOf(request_.queries(), tuning.generation->index->dimension(), context_.limits);
    if (!queries.ok()) return queries.status();
    tuning.queries = {queries->dimension, {queries->values().begin(), queries->values().end()}};
  }
  tuning.observer = observer_;
  if (absl::Status status = experiments::StartTuning(context_.trainer, std::move(tuning)); !status.ok()) return status;
  Send("waiting", 0, 0);
  return absl::OkStatus();
}

void TuneCall::OnWriteDone(bool ok) {
  std::unique_lock<std::mutex> lock(mutex_);
  writing_ = false;
  if (!ok) {
    cancelled_ = true;
    if (!end_) end_ = grpc::Status::CANCELLED;
  }
  Advance(std::move(lock));
}

void TuneCall::OnCancel() {
  std::unique_lock<std::mutex> lock(mutex_);
  cancelled_ = true;
  if (!end_) end_ = grpc::Status::CANCELLED;
  Advance(std::move(lock));
}

void TuneCall::OnDone() {
  observer_->Detach();
  if (entered_) open_->Leave(this);
  delete this;
}

void TuneCall::Drain() { EndWith(Error(Reason::kShuttingDown, "the server is shutting down; tune again in a moment")); }

void TuneCall::Send(const std::string& step, int done, int total) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!end_ && (total > 0 || !began_)) {  // its turn may come before it is said that it waits
    began_ = total > 0;
    next_.emplace();
    next_->set_step(step);
    next_->set_done(done);
    next_->set_total(total);
  }
  Advance(std::move(lock));
}

void TuneCall::EndWith(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result) {
  v1::TuneResponse last;
  if (result.ok()) {
    for (const retrieval::TuneCandidate& candidate : *result) *last.add_candidates() = ToProto(candidate);
  }
  std::unique_lock<std::mutex> lock(mutex_);
  if (end_) return;
  end_ = ToGrpc(result.status());
  next_.reset();
  if (result.ok()) next_ = std::move(last);
  Advance(std::move(lock));
}

// Starts whatever is due now.
void TuneCall::Advance(std::unique_lock<std::mutex> lock) {
  if (finished_) return;
  if (cancelled_) next_.reset();
  const bool write = next_.has_value() && !writing_;
  if (write) {
    writing_response_ = *std::move(next_);
    next_.reset();
    writing_ = true;
  }
  const bool finish = end_.has_value() && !next_ && !writing_ && !busy_;
  if (finish) finished_ = true;
  lock.unlock();
  if (write) StartWrite(&writing_response_);
  if (finish) Finish(*end_);
}

}  // namespace kith::rpc
