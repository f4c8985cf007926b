#include "client/cpp/call.h"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/percent_encode.h"

namespace kith::client {
namespace {

constexpr int kRetries = 2;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);

// Anything else would be no metadata, or not be taken by the server.
bool IsCallId(std::string_view id) {
  constexpr size_t kMostBytes = 128;
  return !id.empty() && id.size() <= kMostBytes &&
         absl::c_all_of(id, [](unsigned char c) { return absl::ascii_isgraph(c); });
}

}  // namespace

CallContext::CallContext(const Connection& connection, std::string_view experiment, absl::Time deadline,
                         const CallOptions& call)
    : cancellation_(call.cancellation) {
  // Not as gRPC's call credentials, which it refuses to send over plain text.
  if (!connection.authorization().empty()) context_.AddMetadata("authorization", connection.authorization());
  if (IsCallId(call.request_id)) context_.AddMetadata("x-request-id", call.request_id);
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

absl::Status OfServer(absl::Status status, const std::string& target, const Cancellation* cancellation) {
  const bool ours = cancellation != nullptr && cancellation->cancelled();
  if (!absl::IsCancelled(status) || ours) return status;
  return absl::UnavailableError(absl::StrCat("the server at ", target, " called the call off; it may be stopping"));
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
