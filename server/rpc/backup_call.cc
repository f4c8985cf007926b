#include "server/rpc/backup_call.h"

#include <utility>

#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/rpc/download_call.h"
#include "server/rpc/status.h"

namespace kith::rpc {

BackupCall::BackupCall(const Context& context, ThreadPool* thread, CallGate::Pass pass)
    : GatedCall(std::move(pass)), context_(context) {
  thread->Run([this] {
    absl::Status status = Guarded([&] { return WriteAll(); });
    // The call must not end beside a message that is under way.
    if (const absl::Status taken = WaitUntilTaken(); status.ok()) status = taken;
    Finish(ToGrpc(status));
  });
}

absl::Status BackupCall::WriteAll() {
  // It may have waited long for another.
  if (absl::Status status = WaitUntilTaken(); !status.ok()) return status;
  const auto summary = context_.store->WriteBackup([this](absl::Span<const char> bytes) { return Take(bytes); });
  if (!summary.ok()) return summary.status();
  absl::Status status = next_.data().empty() ? absl::OkStatus() : Send();
  if (!status.ok()) return status;
  next_.set_experiments(summary->experiments);
  next_.set_generations(summary->generations);
  next_.set_bytes(summary->bytes);
  for (const storage::LeftOut& left_out : summary->left_out) {
    v1::LeftOut* const told = next_.add_left_out();
    told->set_experiment(left_out.experiment);
    told->set_generation(left_out.generation);
    told->set_message(std::string(left_out.why.message()));
  }
  return Send();
}

absl::Status BackupCall::Take(absl::Span<const char> bytes) {
  next_.mutable_data()->append(bytes.data(), bytes.size());
  return static_cast<int64_t>(next_.data().size()) < kDownloadPiece ? absl::OkStatus() : Send();
}

absl::Status BackupCall::Send() {
  if (absl::Status status = WaitUntilTaken(); !status.ok()) return status;
  sent_.Swap(&next_);
  next_.Clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    writing_ = true;
  }
  StartWrite(&sent_);
  return absl::OkStatus();
}

absl::Status BackupCall::WaitUntilTaken() {
  std::unique_lock<std::mutex> lock(mutex_);
  taken_.wait(lock, [this] { return !writing_; });
  return cancelled_ ? Error(Reason::kCancelled, "the client went away") : absl::OkStatus();
}

void BackupCall::OnWriteDone(bool ok) {
  const std::lock_guard<std::mutex> lock(mutex_);
  writing_ = false;
  cancelled_ = cancelled_ || !ok;
  taken_.notify_all();
}

void BackupCall::OnCancel() {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
}

}  // namespace kith::rpc
