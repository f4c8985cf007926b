// Client::Import and ImportFile.
#include <string>
#include <string_view>
#include <utility>

#include "client/cpp/byte_upload.h"
#include "client/cpp/input_file.h"
#include "client/cpp/progress_call.h"

namespace kith {
namespace {

using ImportStream = client::ProgressStream<v1::ImportRequest, v1::ImportResponse>;

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
      [&](ImportStream& stream) {
        return client::SendBytes(std::move(opening), source,
                                 [&](const v1::ImportRequest& request) { return stream.Write(request); });
      },
      [&] {
        Experiment accepted;
        accepted.name = std::string(experiment);
        accepted.training = true;
        return accepted;
      });
}

absl::StatusOr<Experiment> Client::ImportFile(std::string_view experiment, const std::string& path,
                                              ImportOptions options, const CallOptions& call) {
  auto file = client::InputFile::Open(path, "give a faiss index, such as RVC's added_*.index");
  if (!file.ok()) return file.status();
  if (options.file_name.empty()) options.file_name = path.substr(path.rfind('/') + 1);
  const auto on_progress = options.on_progress;
  if (on_progress) {  // the server does not know how much will come
    options.on_progress = [on_progress, total = file->size()](TrainProgress progress) {
      if (progress.phase == TrainPhase::kReceiving) progress.total = total;
      on_progress(progress);
    };
  }
  return Import(experiment, file->Source(), options, call);
}

}  // namespace kith
