#include "server/rpc/downloads.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/status.h"
#include "server/storage/file.h"

namespace kith::rpc {
namespace {

constexpr int kDimensionV1 = 256;
constexpr int kDimensionV2 = 768;

class ExportSource {
 public:
  ExportSource(const Context& context, std::string name, std::shared_ptr<const experiments::Generation> generation)
      : context_(context), name_(std::move(name)), generation_(std::move(generation)) {}

  absl::StatusOr<bool> Next(v1::ExportResponse* response) {
    if (!file_) return Open(response);
    std::string* data = response->mutable_data();
    data->resize(kDownloadPiece);
    const auto count = file_->Read(absl::MakeSpan(*data));
    if (!count.ok()) return count.status();
    data->resize(*count);
    return *count > 0;
  }

 private:
  absl::StatusOr<bool> Open(v1::ExportResponse* first) {
    auto folder = context_.store->MakeScratch();
    if (!folder.ok()) return folder.status();
    const std::string path = folder->PathOf("index");
    auto output = storage::OutputFile::Create(path);
    if (!output.ok()) return output.status();
    const absl::Status written =
        experiments::WriteIndex(*generation_, [&](absl::Span<const char> bytes) { return output->Write(bytes); });
    if (!written.ok()) return written;
    const auto summary = output->Finish();
    if (!summary.ok()) return summary.status();
    auto file = storage::InputFile::Open(path);  // readable when the folder, at the end of this, is gone
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    first->set_total_bytes(summary->size);
    first->set_generation(generation_->number);
    first->set_file_name(ExportFileName(name_, *generation_->index));
    generation_.reset();
    return true;
  }

  const Context& context_;
  const std::string name_;
  std::shared_ptr<const experiments::Generation> generation_;  // until it is written
  std::optional<storage::InputFile> file_;
};

class FrameSource {
 public:
  FrameSource(v1::GetFramesRequest request, std::shared_ptr<const experiments::Generation> generation)
      : request_(std::move(request)), generation_(std::move(generation)) {}

  absl::StatusOr<bool> Next(v1::GetFramesResponse* response) {
    if (!opened_) return Open(response);
    const retrieval::Index& index = *generation_->index;
    const auto row_bytes = static_cast<int64_t>(sizeof(float)) * index.dimension();
    const int64_t count = std::min(end_ - next_, std::max<int64_t>(1, kDownloadPiece / row_bytes));
    if (count == 0) return false;
    response->mutable_frames()->set_dimension(index.dimension());
    std::string* raw = response->mutable_frames()->mutable_raw();
    raw->resize(static_cast<size_t>(count * row_bytes));
    index.CopyRows(next_, count, reinterpret_cast<float*>(raw->data()));
    next_ += count;
    return true;
  }

 private:
  absl::StatusOr<bool> Open(v1::GetFramesResponse* first) {
    opened_ = true;
    const int64_t rows = generation_->index->rows();
    const int64_t first_id = request_.first_id();
    const int64_t count = request_.count();
    if (first_id < 0 || first_id >= rows) {
      return Error(Reason::kBadParameter, absl::StrCat("first_id: ", first_id, " is out of range; 0 to ", rows - 1));
    }
    if (count < 0 || count > rows - first_id) {
      return Error(Reason::kBadParameter, absl::StrCat("count: ", count, " is out of range; 0 (all) to ",
                                                       rows - first_id, " from first_id on"));
    }
    next_ = first_id;
    end_ = count == 0 ? rows : first_id + count;
    first->set_rows(end_ - next_);
    first->set_dimension(generation_->index->dimension());
    first->set_generation(generation_->number);
    return true;
  }

  const v1::GetFramesRequest request_;
  const std::shared_ptr<const experiments::Generation> generation_;
  bool opened_ = false;
  int64_t next_ = 0;
  int64_t end_ = 0;
};

}  // namespace

DownloadCall<v1::ExportResponse>::Messages ExportMessages(const Context& context, const std::string& name) {
  return [&context, name](std::shared_ptr<const experiments::Generation> generation) {
    const auto source = std::make_shared<ExportSource>(context, name, std::move(generation));
    return [source](v1::ExportResponse* response) { return source->Next(response); };
  };
}

DownloadCall<v1::GetFramesResponse>::Messages FrameMessages(const v1::GetFramesRequest& request) {
  return [request](std::shared_ptr<const experiments::Generation> generation) {
    const auto source = std::make_shared<FrameSource>(request, std::move(generation));
    return [source](v1::GetFramesResponse* response) { return source->Next(response); };
  };
}

std::string ExportFileName(const std::string& name, const retrieval::Index& index) {
  std::string safe = name;
  for (char& c : safe) {
    if (absl::string_view("\\:*?\"<>|").find(c) != absl::string_view::npos) c = '_';
  }
  if (safe[0] == '.') safe[0] = '_';
  const retrieval::BuildReport& report = index.report();
  const bool is_rvc = report.factory == absl::StrCat("IVF", report.nlist, ",Flat") &&
                      (index.dimension() == kDimensionV1 || index.dimension() == kDimensionV2);
  if (!is_rvc) return absl::StrCat(safe, ".index");
  return absl::StrCat("added_IVF", report.nlist, "_Flat_nprobe_", report.nprobe, "_", safe,
                      index.dimension() == kDimensionV1 ? "_v1.index" : "_v2.index");
}

}  // namespace kith::rpc
