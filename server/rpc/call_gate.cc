#include "server/rpc/call_gate.h"

#include "server/base/status.h"
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
