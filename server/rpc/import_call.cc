#include "server/rpc/import_call.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::rpc {

absl::Status ImportCall::Take(v1::ImportRequest& request) {
  if (!file_) {
    if (absl::Status status = Open(request); !status.ok()) return status;
  } else if ((!request.experiment().empty() && request.experiment() != lease_->name()) ||
             (!request.file_name().empty() && request.file_name() != file_->name)) {
    return Error(Reason::kBadParameter, "experiment and file_name belong into the first message");
  }
  return Write(request.data());
}

absl::Status ImportCall::Open(const v1::ImportRequest& request) {
  if (absl::Status status = pass().Allow(request.experiment()); !status.ok()) return status;
  auto lease = context_.registry->Reserve(request.experiment());
  if (!lease.ok()) return lease.status();
  auto folder = context_.store->MakeScratch();
  if (!folder.ok()) return folder.status();
  std::string path = folder->PathOf("upload");
  auto output = storage::OutputFile::Create(path);
  if (!output.ok()) return output.status();
  lease_ = *std::move(lease);
  output_ = *std::move(output);
  file_ = experiments::IndexFile{*std::move(folder), std::move(path), request.file_name(), 0, {}};
  return absl::OkStatus();
}

absl::Status ImportCall::Write(const std::string& data) {
  received_ += static_cast<int64_t>(data.size());
  const int64_t most = context_.trainer->import_options().max_file_bytes;
  if (received_ > most) {
    return Error(Reason::kMemoryBudget,
                 absl::StrCat("data: the file is larger than ", most,
                              " bytes, the most that can be imported; make a smaller index, or raise "
                              "limits.import_bytes"));
  }
  return output_->Write(data);
}

absl::Status ImportCall::CheckUpload() {
  if (!file_) return Error(Reason::kBadParameter, "experiment: no message came; the first one names the experiment");
  if (received_ == 0) {
    return Error(Reason::kBadIndex, "data: the file is empty; give a faiss index, such as RVC's added_*.index");
  }
  const auto summary = output_->Finish();
  if (!summary.ok()) return summary.status();
  output_.reset();
  file_->bytes = summary->size;
  file_->sha256 = summary->sha256;
  return absl::OkStatus();
}

absl::Status ImportCall::StartWork() {
  experiments::TrainingRequest import;
  import.lease = std::move(lease_);
  import.index_file = std::move(file_);
  import.observer = observer();
  return context_.trainer->Start(std::move(import));
}

}  // namespace kith::rpc
