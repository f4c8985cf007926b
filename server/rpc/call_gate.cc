#include "server/rpc/call_gate.h"

#include "server/base/status.h"
#include "server/rpc/access.h"
#include "server/rpc/caller.h"
#include "server/telemetry/call_log.h"

namespace kith::rpc {

absl::Status ShuttingDown() {
  return Error(Reason::kShuttingDown, "the server is shutting down; connect again in a moment");
}

absl::StatusOr<CallGate::Pass> CallGate::Enter(telemetry::Rpc rpc, const std::string& call_id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) return ShuttingDown();
  ++inside_;
  return Pass(this, rpc, call_id);
}

grpc::Status CallGate::End(telemetry::Rpc rpc, const std::string& call_id, const grpc::Status& status) const {
  metrics_->CountCall(rpc, static_cast<absl::StatusCode>(status.error_code()));
  if (!status.ok()) telemetry::LogFailedCall(rpc, call_id, status.error_message());
  return WithCallId(status, call_id);
}

absl::StatusOr<CallGate::Pass> CallGate::Enter(telemetry::Rpc rpc, const std::string& call_id,
                                               const grpc::CallbackServerContext& call, const std::string* experiment,
                                               const auth::Cost& cost) {
  auto pass = Enter(rpc, call_id);
  if (!pass.ok()) return pass;
  if (tokens_ != nullptr) {
    if (absl::Status status = CheckToken(call, experiment, &*pass); !status.ok()) return status;
  }
  if (rates_ != nullptr && rates_->AreSet()) {
    if (absl::Status status = CheckRates(call, experiment, cost, &*pass); !status.ok()) return status;
  }
  return pass;
}

absl::Status CallGate::CheckToken(const grpc::CallbackServerContext& call, const std::string* experiment,
                                  Pass* pass) const {
  auto grant = GrantOf(call, *tokens_);
  if (!grant.ok()) return grant.status();
  const Access access = AccessOf(pass->rpc());
  if (absl::Status status = (*grant)->Allow(access.scope, access.subject); !status.ok()) return status;
  if (experiment != nullptr) {
    if (absl::Status status = (*grant)->AllowName(*experiment); !status.ok()) return status;
  }
  pass->grant_ = *std::move(grant);
  return absl::OkStatus();
}

absl::Status CallGate::CheckRates(const grpc::CallbackServerContext& call, const std::string* experiment,
                                  const auth::Cost& cost, Pass* pass) const {
  const TimePoint now = Clock::now();
  pass->client_ = rates_->OfClient(pass->grant_ == nullptr ? auth::ClientOf(call.peer()) : pass->grant_->id(), now);
  if (experiment != nullptr) pass->experiment_ = rates_->OfExperiment(*experiment, now);
  return pass->TakeOfBoth(cost, now);
}

absl::Status CallGate::Pass::TakeOfBoth(const auth::Cost& cost, TimePoint now) const {
  if (client_ != nullptr) {
    if (absl::Status status = client_->Take(cost, now); !status.ok()) return status;
  }
  if (experiment_ == nullptr) return absl::OkStatus();
  absl::Status status = experiment_->Take(cost, now);
  if (!status.ok() && client_ != nullptr) client_->GiveBack(cost);
  return status;
}

absl::Status CallGate::Pass::Allow(const std::string& experiment) {
  if (grant_ != nullptr) {
    if (absl::Status status = grant_->AllowName(experiment); !status.ok()) return status;
  }
  if (gate_->rates_ == nullptr) return absl::OkStatus();
  const TimePoint now = Clock::now();
  experiment_ = gate_->rates_->OfExperiment(experiment, now);
  return experiment_ == nullptr ? absl::OkStatus() : experiment_->Take({}, now);
}

void CallGate::Pass::Owe(const auth::Cost& cost) const {
  if (client_ == nullptr && experiment_ == nullptr) return;
  const TimePoint now = Clock::now();
  if (client_ != nullptr) client_->Owe(cost, now);
  if (experiment_ != nullptr) experiment_->Owe(cost, now);
}

absl::Status CallGate::Pass::EnterStream() {
  for (const auto& [account, place] :
       {std::pair(client_, &stream_of_client_), std::pair(experiment_, &stream_of_experiment_)}) {
    if (account == nullptr) continue;
    auto entered = account->EnterStream();
    if (!entered.ok()) return entered.status();
    *place = *std::move(entered);
  }
  return absl::OkStatus();
}

void CallGate::Close() {
  const std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
}

void CallGate::WaitUntilEmpty(std::chrono::milliseconds patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  empty_.wait_for(lock, patience, [this] { return inside_ == 0; });
}

void CallGate::WaitUntilEmpty() {
  std::unique_lock<std::mutex> lock(mutex_);
  empty_.wait(lock, [this] { return inside_ == 0; });
}

void CallGate::Leave() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (--inside_ == 0) empty_.notify_all();
}

}  // namespace kith::rpc
