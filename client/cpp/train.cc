// Client::Train and Retrain: the upload in this thread, the progress in another.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"
#include "client/cpp/upload.h"
#include "grpcpp/support/sync_stream.h"

namespace kith {
namespace {

using TrainStream = grpc::ClientReaderWriterInterface<v1::TrainRequest, v1::TrainResponse>;

// Reads the progress to its end, or to the acceptance of the upload when detaching.
class ProgressReader {
 public:
  ProgressReader(TrainStream& stream, const TrainOptions& options) : stream_(stream), options_(options) {}

  void Run() {
    v1::TrainResponse response;
    while (stream_.Read(&response)) {
      const TrainPhase phase = client::FromProto(response.phase());
      if (options_.on_progress) options_.on_progress({phase, response.done(), response.total()});
      if (phase == TrainPhase::kDone) experiment_ = client::FromProto(response.experiment());
      if (phase != TrainPhase::kReceiving) accepted_ = true;
      if (accepted_ && options_.detach) return;
    }
  }

  bool accepted() const { return accepted_; }
  std::optional<Experiment>& experiment() { return experiment_; }

 private:
  TrainStream& stream_;
  const TrainOptions& options_;
  bool accepted_ = false;
  std::optional<Experiment> experiment_;
};

// Opening and frames; the error is the source's own.
absl::Status SendAll(TrainStream& stream, v1::TrainRequest request, FrameSource* source, int64_t message_bytes,
                     client::UploadedFrames* uploaded) {
  if (!stream.Write(request) || source == nullptr) return absl::OkStatus();
  request.Clear();
  const auto send = [&](FramesView part) {
    client::ToProto(part, request.mutable_frames());
    return stream.Write(request);
  };
  return client::Upload(*source, message_bytes, send, uploaded);
}

// A null source sends no frames: train on the stored ones.
absl::StatusOr<Experiment> RunTraining(client::Connection& connection, std::string_view name, FrameSource* source,
                                       int64_t message_bytes, const TrainOptions& options, const CallOptions& call) {
  const absl::Time deadline = client::DeadlineOf(call);
  if (absl::Status ready = connection.WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  client::CallContext context(name, deadline, call.cancellation);
  const std::unique_ptr<TrainStream> stream = connection.retrieval().Train(context.grpc());
  ProgressReader reader(*stream, options);
  std::thread reading(&ProgressReader::Run, &reader);

  v1::TrainRequest opening;
  opening.set_experiment(std::string(name));
  opening.set_request_id(options.request_id);
  if (options.recipe) client::ToProto(*options.recipe, opening.mutable_recipe());
  client::UploadedFrames uploaded;
  const absl::Status sent = SendAll(*stream, std::move(opening), source, message_bytes, &uploaded);
  if (sent.ok()) {
    stream->WritesDone();
  } else {
    context.grpc()->TryCancel();  // without the half-close the server keeps nothing
  }
  reading.join();
  const bool detached = options.detach && reader.accepted() && !reader.experiment();
  if (detached) context.grpc()->TryCancel();
  const absl::Status ended = client::FromGrpc(stream->Finish(), connection.target());

  if (!sent.ok()) return sent;
  if (reader.experiment()) return *std::move(reader.experiment());
  if (detached) {
    Experiment accepted;
    accepted.name = std::string(name);
    accepted.rows = uploaded.rows;
    accepted.dimension = uploaded.dimension;
    accepted.training = true;
    return accepted;
  }
  if (!ended.ok()) return ended;
  return absl::InternalError("the server ended the training without a result");
}

}  // namespace

absl::StatusOr<Experiment> Client::Train(std::string_view experiment, FrameSource& source, const TrainOptions& train,
                                         const CallOptions& call) {
  absl::StatusOr<Experiment> built;
  const absl::Status status = impl_->uploads.Run([&](int64_t message_bytes) {
    absl::Status rewound = source.Rewind();
    if (rewound.ok()) built = RunTraining(*impl_->connection, experiment, &source, message_bytes, train, call);
    return rewound.ok() ? built.status() : rewound;
  });
  if (!status.ok()) return status;
  return built;
}

absl::StatusOr<Experiment> Client::Retrain(std::string_view experiment, const TrainOptions& train,
                                           const CallOptions& call) {
  return RunTraining(*impl_->connection, experiment, nullptr, /*message_bytes=*/0, train, call);
}

}  // namespace kith
