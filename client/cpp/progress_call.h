// What Train and Import share: an upload in this thread, the progress in another, and how the two end.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"
#include "grpcpp/support/sync_stream.h"

namespace kith::client {

template <typename Request, typename Response>
using ProgressStream = grpc::ClientReaderWriterInterface<Request, Response>;

// Reads the progress to its end, or to the acceptance of the upload when detaching.
template <typename Request, typename Response>
class ProgressReader {
 public:
  ProgressReader(ProgressStream<Request, Response>& stream, std::function<void(const TrainProgress&)> on_progress,
                 bool detach)
      : stream_(stream), on_progress_(std::move(on_progress)), detach_(detach) {}

  void Run() {
    Response response;
    while (stream_.Read(&response)) {
      const TrainPhase phase = FromProto(response.phase());
      if (on_progress_) on_progress_({phase, response.done(), response.total()});
      if (phase == TrainPhase::kDone) experiment_ = FromProto(response.experiment());
      if (phase != TrainPhase::kReceiving) accepted_ = true;
      if (accepted_ && detach_) return;
    }
  }

  bool detached() const { return detach_ && accepted_ && !experiment_; }
  std::optional<Experiment>& experiment() { return experiment_; }

 private:
  ProgressStream<Request, Response>& stream_;
  const std::function<void(const TrainProgress&)> on_progress_;
  const bool detach_;
  bool accepted_ = false;
  std::optional<Experiment> experiment_;
};

// open(context) -> the stream; send(stream) -> absl::Status writes the upload: its error ends the call, and the server
// keeps nothing of it. Options: TrainOptions or ImportOptions. Once detached, the answer is `accepted()`.
template <typename Request, typename Response, typename Options, typename Open, typename Send, typename Accepted>
absl::StatusOr<Experiment> RunWithProgress(Connection& connection, std::string_view name, const Options& options,
                                           const CallOptions& call, Open open, Send send, Accepted accepted) {
  const absl::Time deadline = DeadlineOf(call);
  if (absl::Status ready = connection.WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  CallContext context(connection, name, deadline, call.cancellation);
  const std::unique_ptr<ProgressStream<Request, Response>> stream = open(context.grpc());
  ProgressReader<Request, Response> reader(*stream, options.on_progress, options.detach);
  std::thread reading([&reader] { reader.Run(); });

  const absl::Status sent = send(*stream);
  if (sent.ok()) {
    stream->WritesDone();
  } else {
    context.grpc()->TryCancel();  // without the half-close the server keeps nothing
  }
  reading.join();
  const bool detached = reader.detached();
  if (detached) context.grpc()->TryCancel();
  const absl::Status ended = FromGrpc(stream->Finish(), connection.target());

  if (!sent.ok()) return sent;
  if (reader.experiment()) return *std::move(reader.experiment());
  if (detached) return accepted();
  if (!ended.ok()) return ended;
  return absl::InternalError("the server ended the call without a result");
}

}  // namespace kith::client
