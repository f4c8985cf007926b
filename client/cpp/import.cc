// Client::Import and ImportFile.
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/progress_call.h"
#include "client/cpp/upload.h"

namespace kith {
namespace {

using ImportStream = client::ProgressStream<v1::ImportRequest, v1::ImportResponse>;

// Opening and bytes, in messages that every server takes: a source of bytes cannot be read twice. The error is the
// source's own.
absl::Status SendAll(ImportStream& stream, v1::ImportRequest request, const ByteSource& source) {
  if (!stream.Write(request)) return absl::OkStatus();
  request.Clear();
  while (true) {
    std::string* data = request.mutable_data();
    data->resize(client::kSmallUploadMessage);
    const absl::StatusOr<size_t> count = source(absl::MakeSpan(*data));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    data->resize(*count);
    if (!stream.Write(request)) return absl::OkStatus();  // the call has ended, and its status says why
  }
}

absl::Status FileError(const std::string& path, int error, const char* what) {
  return absl::ErrnoToStatus(error, absl::StrCat(path, ": ", what));
}

}  // namespace

absl::StatusOr<Experiment> Client::Import(std::string_view experiment, const ByteSource& source,
                                          const ImportOptions& options, const CallOptions& call) {
  v1::ImportRequest opening;
  opening.set_experiment(std::string(experiment));
  opening.set_file_name(options.file_name);
  client::Connection& connection = *impl_->connection;
  return client::RunWithProgress<v1::ImportRequest, v1::ImportResponse>(
      connection, experiment, options, call,
      [&](grpc::ClientContext* context) { return connection.experiments().Import(context); },
      [&](ImportStream& stream) { return SendAll(stream, std::move(opening), source); },
      [&] {
        Experiment accepted;
        accepted.name = std::string(experiment);
        accepted.training = true;
        return accepted;
      });
}

absl::StatusOr<Experiment> Client::ImportFile(std::string_view experiment, const std::string& path,
                                              ImportOptions options, const CallOptions& call) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return FileError(path, errno, "cannot be opened");
  if (!S_ISREG(info.st_mode)) {  // before it is opened: a pipe would wait for its other end
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no plain file; give an .index"));
  }
  if (info.st_size == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the file is empty; give a faiss index, such as RVC's added_*.index"));
  }
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (file == nullptr) return FileError(path, errno, "cannot be opened");
  if (options.file_name.empty()) options.file_name = path.substr(path.rfind('/') + 1);
  const int64_t total = info.st_size;
  const auto on_progress = options.on_progress;
  if (on_progress) {  // the server does not know how much will come
    options.on_progress = [on_progress, total](TrainProgress progress) {
      if (progress.phase == TrainPhase::kReceiving) progress.total = total;
      on_progress(progress);
    };
  }
  const ByteSource source = [&](absl::Span<char> out) -> absl::StatusOr<size_t> {
    const size_t count = std::fread(out.data(), 1, out.size(), file.get());
    if (count == 0 && std::ferror(file.get()) != 0) return FileError(path, errno, "cannot be read");
    return count;
  };
  return Import(experiment, source, options, call);
}

}  // namespace kith
