#include "server/rpc/tune_call.h"

#include <string>
#include <utility>

#include "server/base/status.h"
#include "server/rpc/convert.h"

namespace kith::rpc {
namespace {

v1::TuneResponse StepMessage(const std::string& step, int done, int total) {
  v1::TuneResponse response;
  response.set_step(step);
  response.set_done(done);
  response.set_total(total);
  return response;
}

}  // namespace

class TuneCall::Observer : public experiments::TuningObserver, public CallLink<TuneCall> {
 public:
  using CallLink::CallLink;

  bool OnStep(const std::string& step, int done, int total) override {
    return With([&](TuneCall* call) { call->Send(StepMessage(step, done, total)); });
  }
  void OnFinished(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result) override {
    With([&](TuneCall* call) { call->EndWith(result); });
  }
};

TuneCall::TuneCall(const Context& context, CallGate::Pass pass, StreamSet* open, const v1::TuneRequest* request)
    : ProgressWriter(context, std::move(pass)),
      open_(open),
      request_(*request),
      observer_(std::make_shared<Observer>(this)) {
  RunInPool([this] { return Start(); });
}

absl::Status TuneCall::Start() {
  if (absl::Status status = open_->Enter(this); !status.ok()) return status;
  entered_ = true;
  experiments::TuningRequest tuning;
  tuning.options = TuneOptionsOf(request_);
  if (absl::Status status = retrieval::CheckTuneOptions(tuning.options); !status.ok()) return status;
  tuning.experiment = request_.experiment();
  const auto described = context_.registry->Describe(tuning.experiment);
  if (!described.ok()) return described.status();
  if (const auto resident = context_.registry->FindResident(tuning.experiment); !resident.ok()) {
    return resident.status();
  }
  if (request_.has_queries()) {
    const auto queries = QueriesOf(request_.queries(), described->record.generation.dimension, context_.limits->Get());
    if (!queries.ok()) return queries.status();
    tuning.queries = {queries->dimension, {queries->values().begin(), queries->values().end()}};
  }
  tuning.observer = observer_;
  auto place = experiments::StartTuning(context_.trainer, context_.registry, std::move(tuning));
  if (!place.ok()) return place.status();
  place_ = *std::move(place);
  SendFirst(StepMessage("waiting", 0, 0));  // its turn may have come already
  return absl::OkStatus();
}

void TuneCall::OnDone() {
  observer_->Detach();
  if (entered_) open_->Leave(this);
  DeleteInPool();
}

void TuneCall::Drain() { End(Error(Reason::kShuttingDown, "the server is shutting down; tune again in a moment")); }

void TuneCall::EndWith(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result) {
  if (!result.ok()) return End(result.status());
  v1::TuneResponse last;
  for (const retrieval::TuneCandidate& candidate : *result) *last.add_candidates() = ToProto(candidate);
  End(absl::OkStatus(), std::move(last));
}

}  // namespace kith::rpc
