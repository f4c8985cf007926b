// Client::Add: one attempt is one stream; a random request_id makes the next attempt safe.
#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"
#include "client/cpp/upload.h"
#include "grpcpp/support/sync_stream.h"

namespace kith {
namespace {

std::string RandomRequestId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

absl::Status SendOnce(client::Connection& connection, v1::AddRequest request, FrameSource& source,
                      int64_t message_bytes, absl::Time deadline, const CallOptions& call, v1::AddResponse* response) {
  if (absl::Status status = source.Rewind(); !status.ok()) return status;
  client::CallContext context(connection, request.experiment(), deadline, call.cancellation);
  response->Clear();
  const auto stream = connection.retrieval().Add(context.grpc(), response);
  absl::Status sent;
  client::UploadedFrames uploaded;
  if (stream->Write(request)) {
    request.Clear();
    const auto send = [&](FramesView part) {
      client::ToProto(part, request.mutable_frames());
      if (!stream->Write(request)) return false;
      if (call.on_rows) call.on_rows(uploaded.rows + part.rows());
      return true;
    };
    sent = client::Upload(source, message_bytes, send, &uploaded);
  }
  if (sent.ok()) {
    stream->WritesDone();
  } else {
    context.grpc()->TryCancel();  // without the half-close the server keeps nothing
  }
  const absl::Status ended = client::FromGrpc(stream->Finish(), connection.target());
  return sent.ok() ? ended : sent;
}

}  // namespace

absl::StatusOr<AddResult> Client::Add(std::string_view experiment, FrameSource& source, std::string request_id,
                                      const CallOptions& call) {
  const absl::Time deadline = client::DeadlineOf(call);
  v1::AddRequest opening;
  opening.set_experiment(std::string(experiment));
  opening.set_request_id(request_id.empty() ? RandomRequestId() : std::move(request_id));
  v1::AddResponse response;
  const absl::Status status = client::WithRetries(*impl_->connection, deadline, call, [&] {
    return impl_->uploads.Run([&](int64_t message_bytes) {
      return SendOnce(*impl_->connection, opening, source, message_bytes, deadline, call, &response);
    });
  });
  if (!status.ok()) return status;
  AddResult result;
  result.first_id = response.first_id();
  result.rows = response.rows();
  result.total_rows = response.total_rows();
  result.generation = response.generation();
  return result;
}

}  // namespace kith
