// Client::Train and Retrain.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "client/cpp/progress_call.h"
#include "client/cpp/upload.h"

namespace kith {
namespace {

using TrainStream = client::ProgressStream<v1::TrainRequest, v1::TrainResponse>;

// Opening and frames; the error is the source's own.
absl::Status SendAll(TrainStream& stream, v1::TrainRequest request, FrameSource* source, int64_t payload,
                     client::UploadedFrames* uploaded) {
  if (!stream.Write(request) || source == nullptr) return absl::OkStatus();
  request.Clear();
  const auto send = [&](FramesView part) {
    client::ToProto(part, request.mutable_frames());
    return stream.Write(request);
  };
  return client::Upload(*source, std::min(payload, client::kUploadMessage), send, uploaded);
}

// A null source sends no frames: train on the stored ones.
absl::StatusOr<Experiment> RunTraining(client::Connection& connection, std::string_view name, FrameSource* source,
                                       int64_t payload, const TrainOptions& options, const CallOptions& call) {
  v1::TrainRequest opening;
  opening.set_experiment(std::string(name));
  opening.set_request_id(options.request_id);
  if (options.recipe) client::ToProto(*options.recipe, opening.mutable_recipe());
  client::UploadedFrames uploaded;
  return client::RunWithProgress<v1::TrainRequest, v1::TrainResponse>(
      connection, name, options, call,
      [&](grpc::ClientContext* context) { return connection.retrieval().Train(context); },
      [&](TrainStream& stream) { return SendAll(stream, std::move(opening), source, payload, &uploaded); },
      [&] {
        Experiment accepted;
        accepted.name = std::string(name);
        accepted.rows = uploaded.rows;
        accepted.dimension = uploaded.dimension;
        accepted.training = true;
        return accepted;
      });
}

}  // namespace

absl::StatusOr<Experiment> Client::Train(std::string_view experiment, FrameSource& source, const TrainOptions& train,
                                         const CallOptions& call) {
  return RunTraining(*impl_->connection, experiment, &source, impl_->payload(), train, call);
}

absl::StatusOr<Experiment> Client::Retrain(std::string_view experiment, const TrainOptions& train,
                                           const CallOptions& call) {
  return RunTraining(*impl_->connection, experiment, nullptr, impl_->payload(), train, call);
}

}  // namespace kith
