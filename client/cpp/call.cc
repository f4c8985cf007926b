#include "client/cpp/call.h"

#include "client/cpp/percent_encode.h"

namespace kith::client {
namespace {

constexpr int kRetries = 2;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);

}  // namespace

CallContext::CallContext(const Connection& connection, std::string_view experiment, absl::Time deadline,
                         Cancellation* cancellation)
    : cancellation_(cancellation) {
  // Not as gRPC's call credentials, which it refuses to send over plain text.
  if (!connection.authorization().empty()) context_.AddMetadata("authorization", connection.authorization());
  if (!experiment.empty()) context_.AddMetadata("x-kith-experiment", PercentEncode(experiment));
  if (deadline != absl::InfiniteFuture()) context_.set_deadline(absl::ToChronoTime(deadline));
  if (cancellation_ != nullptr) registration_ = cancellation_->Register([this] { context_.TryCancel(); });
}

CallContext::~CallContext() {
  if (cancellation_ != nullptr) cancellation_->Unregister(registration_);
}

absl::Time DeadlineOf(const CallOptions& call) {
  return call.timeout ? absl::Now() + *call.timeout : absl::InfiniteFuture();
}

bool WaitBeforeRetry(const absl::Status& status, int attempt, absl::Time deadline, const Cancellation* cancellation) {
  // A full disk is UNAVAILABLE too, but does not pass within a second.
  if (!absl::IsUnavailable(status) || ErrorReason(status) == "STORAGE" || attempt >= kRetries) return false;
  const absl::Duration pause = RetryDelay(status).value_or(kFirstBackoff * (1 << attempt));
  if (absl::Now() + pause >= deadline) return false;
  if (cancellation != nullptr) return !cancellation->WaitFor(pause);
  absl::SleepFor(pause);
  return true;
}

}  // namespace kith::client
