// Client::Tune: one request, then progress until the candidates come.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"
#include "grpcpp/support/sync_stream.h"

namespace kith {
namespace {

constexpr int64_t kMessageRest = 4096;  // bytes of a request besides its queries

absl::Status CheckQueries(FramesView queries, int max_message_bytes) {
  if (absl::Status status = client::CheckFrames(queries); !status.ok()) return status;
  const int64_t row_bytes = static_cast<int64_t>(sizeof(float)) * queries.dimension;
  const int64_t most = std::min(client::kMaxRows, (max_message_bytes - kMessageRest) / row_bytes);
  if (queries.rows() <= most) return absl::OkStatus();
  return client::LocalError(absl::StatusCode::kInvalidArgument, "BAD_PARAMETER",
                            absl::StrCat("queries: ", queries.rows(), " rows are too many for one message; give ", most,
                                         " or fewer, such as every tenth"));
}

v1::TuneRequest RequestOf(std::string_view experiment, const TuneOptions& options) {
  v1::TuneRequest request;
  request.set_experiment(std::string(experiment));
  if (!options.queries.values.empty()) client::ToProto(options.queries, request.mutable_queries());
  request.set_sample(options.sample);
  if (options.target_recall) request.set_target_recall(*options.target_recall);
  if (options.seed) request.set_seed(*options.seed);
  return request;
}

}  // namespace

absl::StatusOr<std::vector<TuneCandidate>> Client::Tune(std::string_view experiment, const TuneOptions& tune,
                                                        const CallOptions& call) {
  if (!tune.queries.values.empty()) {
    const absl::Status checked = CheckQueries(tune.queries, impl_->options.max_message_bytes);
    if (!checked.ok()) return checked;
  }
  const absl::Time deadline = client::DeadlineOf(call);
  if (absl::Status ready = impl_->connection->WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  client::CallContext context(*impl_->connection, experiment, deadline, call.cancellation);
  const auto stream = impl_->connection->experiments().Tune(context.grpc(), RequestOf(experiment, tune));
  std::vector<TuneCandidate> candidates;
  v1::TuneResponse response;
  while (stream->Read(&response)) {
    for (const v1::TuneCandidate& candidate : response.candidates()) candidates.push_back(client::FromProto(candidate));
    if (tune.on_progress && !response.step().empty()) {
      tune.on_progress({response.step(), response.done(), response.total()});
    }
  }
  if (absl::Status ended = client::FromGrpc(stream->Finish(), target()); !ended.ok()) return ended;
  if (candidates.empty()) return absl::InternalError("the server ended the tuning without a result");
  return candidates;
}

}  // namespace kith
