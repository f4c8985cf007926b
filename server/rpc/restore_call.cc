#include "server/rpc/restore_call.h"

#include <memory>
#include <utility>
#include <vector>

#include "server/base/guard.h"
#include "server/base/status.h"
#include "server/experiments/training_lease.h"
#include "server/rpc/convert.h"

namespace kith::rpc {
namespace {

constexpr char kFileName[] = "backup.tar";

}  // namespace

void RestoreCall::StartWork() {
  thread_->Run([this] { End(Guarded([&] { return Restore(); })); });
}

absl::Status RestoreCall::Take(const v1::RestoreRequest& request) {
  if (!opened_) {
    replace_ = request.replace();
    auto folder = context_.store->MakeScratch();
    if (!folder.ok()) return folder.status();
    auto output = storage::OutputFile::Create(folder->PathOf(kFileName));
    if (!output.ok()) return output.status();
    folder_ = *std::move(folder);
    output_ = *std::move(output);
    opened_ = true;
  }
  return output_->Write(request.data());
}

absl::Status RestoreCall::Restore() {
  if (!opened_) return Error(Reason::kBadParameter, "data: no message came; send what kith backup wrote");
  if (const auto written = output_->Finish(); !written.ok()) return written.status();
  std::vector<std::unique_ptr<experiments::TrainingLease>> leases;  // nobody changes them meanwhile
  const auto reserve = [&](const std::vector<std::string>& names) -> absl::Status {
    for (const std::string& name : names) {
      auto lease = context_.registry->Reserve(name);
      if (!lease.ok()) return lease.status();
      (*lease)->WaitForChanges();
      leases.push_back(*std::move(lease));
    }
    return absl::OkStatus();
  };
  const auto on_restored = [&](const storage::ExperimentRecord& record) {
    for (const auto& lease : leases) {
      if (lease->name() == record.name) lease->Replace(record);
    }
  };
  const absl::Status status = context_.store->Restore(folder_->PathOf(kFileName), replace_, reserve, on_restored);
  if (!status.ok()) return status;
  for (const auto& lease : leases) {
    experiments::Description description = lease->Describe();
    description.training = false;
    *response_->add_experiments() = ToProto(description);
    if (description.pinned) context_.registry->Acquire(lease->name(), [](const auto&) {});  // as after a restart
  }
  return absl::OkStatus();
}

}  // namespace kith::rpc
