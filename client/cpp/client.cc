#include "client/cpp/client.h"

#include <utility>

#include "client/cpp/block_stream_impl.h"
#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"

namespace kith {

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;

const std::string& Client::target() const { return impl_->connection->target(); }

absl::StatusOr<SearchResult> Client::Search(std::string_view experiment, FramesView frames, const SearchParams& params,
                                            const CallOptions& call) {
  if (absl::Status status = client::CheckFrames(frames); !status.ok()) return status;
  const absl::Time deadline = client::DeadlineOf(call);
  v1::SearchRequest request;
  request.set_experiment(std::string(experiment));
  client::ToProto(params, request.mutable_params());
  const int64_t answer_row_bytes = client::kBytesPerNeighbour * params.k.value_or(client::kDefaultK);
  const int64_t row_bytes = client::RowBytes(frames.dimension, answer_row_bytes);

  const auto ask = [&](FramesView part, int64_t first, SearchResult* result) -> absl::Status {
    client::ToProto(part, request.mutable_frames());
    auto response = client::Unary<v1::SearchResponse>(
        *impl_->connection, experiment, impl_->options.unary_timeout, deadline, call,
        [&](auto* context, auto* answer) { return impl_->connection->retrieval().Search(context, request, answer); });
    if (!response.ok()) return response.status();
    if (call.on_rows) call.on_rows(first + part.rows());
    return client::AppendSearch(*response, part.rows(), result);
  };
  return client::InParts<SearchResult>(frames, row_bytes, impl_->parts, ask);
}

absl::StatusOr<ExpandResult> Client::Expand(std::string_view experiment, FramesView frames, const ExpandParams& params,
                                            const CallOptions& call) {
  if (absl::Status status = client::CheckFrames(frames); !status.ok()) return status;
  const absl::Time deadline = client::DeadlineOf(call);
  v1::ExpandRequest request;
  request.set_experiment(std::string(experiment));
  client::ToProto(params, request.mutable_params());
  const int64_t row_bytes = client::RowBytes(frames.dimension, /*answer=*/0);

  const auto ask = [&](FramesView part, int64_t first, ExpandResult* result) -> absl::Status {
    client::ToProto(part, request.mutable_frames());
    auto response = client::Unary<v1::ExpandResponse>(
        *impl_->connection, experiment, impl_->options.unary_timeout, deadline, call,
        [&](auto* context, auto* answer) { return impl_->connection->retrieval().Expand(context, request, answer); });
    if (!response.ok()) return response.status();
    result->passthrough_rows += response->passthrough_rows();
    result->generation = response->generation();
    if (call.on_rows) call.on_rows(first + part.rows());
    return client::AppendFrames(response->frames(), part.rows(), &result->frames);
  };
  return client::InParts<ExpandResult>(frames, row_bytes, impl_->parts, ask);
}

absl::StatusOr<std::vector<Experiment>> Client::List(const CallOptions& call) {
  const absl::Time deadline = client::DeadlineOf(call);
  std::vector<Experiment> experiments;
  v1::ListExperimentsRequest request;
  do {
    auto page = client::Unary<v1::ListExperimentsResponse>(
        *impl_->connection, "", impl_->options.unary_timeout, deadline, call,
        [&](auto* context, auto* answer) { return impl_->connection->experiments().List(context, request, answer); });
    if (!page.ok()) return page.status();
    for (const v1::Experiment& experiment : page->experiments()) experiments.push_back(client::FromProto(experiment));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return experiments;
}

absl::StatusOr<Experiment> Client::Get(std::string_view experiment, const CallOptions& call) {
  v1::GetExperimentRequest request;
  request.set_name(std::string(experiment));
  auto response = client::Unary<v1::GetExperimentResponse>(
      *impl_->connection, experiment, impl_->options.unary_timeout, client::DeadlineOf(call), call,
      [&](auto* context, auto* answer) { return impl_->connection->experiments().Get(context, request, answer); });
  if (!response.ok()) return response.status();
  return client::FromProto(response->experiment());
}

absl::Status Client::Delete(std::string_view experiment, const CallOptions& call) {
  v1::DeleteExperimentRequest request;
  request.set_name(std::string(experiment));
  // A second attempt after a lost answer would find nothing and call that an error.
  return client::UnaryOnce<v1::DeleteExperimentResponse>(
             *impl_->connection, experiment, impl_->options.unary_timeout, call,
             [&](auto* context, auto* answer) {
               return impl_->connection->experiments().Delete(context, request, answer);
             })
      .status();
}

absl::StatusOr<ServerInfo> Client::GetServerInfo(const CallOptions& call) {
  const v1::GetServerInfoRequest request;
  auto response = client::Unary<v1::GetServerInfoResponse>(
      *impl_->connection, "", impl_->options.unary_timeout, client::DeadlineOf(call), call,
      [&](auto* context, auto* answer) {
        return impl_->connection->experiments().GetServerInfo(context, request, answer);
      });
  if (!response.ok()) return response.status();
  return client::FromProto(*response);
}

absl::StatusOr<std::string> Client::SetLogLevel(const std::string& level, const CallOptions& call) {
  v1::SetLogLevelRequest request;
  request.set_level(level);
  // A second attempt after a lost answer would give the new level as the old one.
  auto response = client::UnaryOnce<v1::SetLogLevelResponse>(
      *impl_->connection, "", impl_->options.unary_timeout, call, [&](auto* context, auto* answer) {
        return impl_->connection->experiments().SetLogLevel(context, request, answer);
      });
  if (!response.ok()) return response.status();
  return response->previous();
}

absl::StatusOr<Health> Client::GetHealth(const CallOptions& call) {
  grpc::health::v1::HealthCheckRequest request;
  auto response = client::Unary<grpc::health::v1::HealthCheckResponse>(
      *impl_->connection, "", impl_->options.unary_timeout, client::DeadlineOf(call), call,
      [&](auto* context, auto* answer) { return impl_->connection->health().Check(context, request, answer); });
  if (!response.ok()) return response.status();
  switch (response->status()) {
    case grpc::health::v1::HealthCheckResponse::SERVING:
      return Health::kServing;
    case grpc::health::v1::HealthCheckResponse::NOT_SERVING:
      return Health::kNotServing;
    default:
      return Health::kUnknown;
  }
}

namespace {

v1::StreamOpen Opening(std::string_view experiment, std::optional<absl::Duration> budget) {
  v1::StreamOpen open;
  open.set_experiment(std::string(experiment));
  if (budget) open.set_budget_ms(static_cast<int>(absl::ToInt64Milliseconds(*budget)));
  return open;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExpandStream>> Client::StreamExpand(std::string_view experiment,
                                                                   const ExpandParams& params,
                                                                   std::optional<absl::Duration> budget,
                                                                   const CallOptions& call) {
  v1::StreamOpen open = Opening(experiment, budget);
  client::ToProto(params, open.mutable_params());
  return client::OpenStream<ExpandResult>(impl_->connection, open, call);
}

absl::StatusOr<std::unique_ptr<SearchStream>> Client::StreamSearch(std::string_view experiment,
                                                                   const SearchParams& params,
                                                                   std::optional<absl::Duration> budget,
                                                                   const CallOptions& call) {
  v1::StreamOpen open = Opening(experiment, budget);
  client::ToProto(params, open.mutable_params()->mutable_search());
  return client::OpenStream<SearchResult>(impl_->connection, open, call);
}

}  // namespace kith
