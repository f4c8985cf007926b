// Client's calls about whether an experiment is in memory and which of its generations serves.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cpp/call.h"
#include "client/cpp/client_impl.h"
#include "client/cpp/convert.h"

namespace kith {
namespace {

// Reading a large voice from a slow disk takes as long as it takes.
constexpr absl::Duration kAnyTime = absl::InfiniteDuration();

template <typename Request, typename Response>
using Rpc = grpc::Status (v1::Experiments::StubInterface::*)(grpc::ClientContext*, const Request&, Response*);

// A call that takes a name, gives the experiment as it is then, and may be repeated without harm.
template <typename Request, typename Response>
absl::StatusOr<Experiment> Ask(client::Connection& connection, std::string_view experiment, absl::Duration timeout,
                               const CallOptions& call, Rpc<Request, Response> rpc) {
  Request request;
  request.set_name(std::string(experiment));
  auto response = client::Unary<Response>(
      connection, experiment, timeout, client::DeadlineOf(call), call,
      [&](auto* context, auto* answer) { return (connection.experiments().*rpc)(context, request, answer); });
  if (!response.ok()) return response.status();
  return client::FromProto(response->experiment());
}

}  // namespace

absl::StatusOr<Experiment> Client::Load(std::string_view experiment, const CallOptions& call) {
  return Ask(*impl_->connection, experiment, kAnyTime, call, &v1::Experiments::StubInterface::Load);
}

absl::StatusOr<Experiment> Client::Unload(std::string_view experiment, const CallOptions& call) {
  return Ask(*impl_->connection, experiment, impl_->options.unary_timeout, call,
             &v1::Experiments::StubInterface::Unload);
}

absl::StatusOr<Experiment> Client::Pin(std::string_view experiment, const CallOptions& call) {
  return Ask(*impl_->connection, experiment, kAnyTime, call, &v1::Experiments::StubInterface::Pin);
}

absl::StatusOr<Experiment> Client::Unpin(std::string_view experiment, const CallOptions& call) {
  return Ask(*impl_->connection, experiment, impl_->options.unary_timeout, call,
             &v1::Experiments::StubInterface::Unpin);
}

absl::StatusOr<std::vector<Generation>> Client::Generations(std::string_view experiment, const CallOptions& call) {
  v1::GenerationsRequest request;
  request.set_name(std::string(experiment));
  auto response = client::Unary<v1::GenerationsResponse>(
      *impl_->connection, experiment, impl_->options.unary_timeout, client::DeadlineOf(call), call,
      [&](auto* context, auto* answer) {
        return impl_->connection->experiments().Generations(context, request, answer);
      });
  if (!response.ok()) return response.status();
  std::vector<Generation> generations;
  for (const v1::Generation& generation : response->generations()) generations.push_back(client::FromProto(generation));
  return generations;
}

absl::StatusOr<Experiment> Client::Rollback(std::string_view experiment, std::optional<int64_t> to,
                                            const CallOptions& call) {
  v1::RollbackRequest request;
  request.set_name(std::string(experiment));
  if (to) request.set_to(*to);
  // A second attempt after a lost answer would roll back to the one that was current at first.
  auto response = client::UnaryOnce<v1::RollbackResponse>(
      *impl_->connection, experiment, kAnyTime, call,
      [&](auto* context, auto* answer) { return impl_->connection->experiments().Rollback(context, request, answer); });
  if (!response.ok()) return response.status();
  return client::FromProto(response->experiment());
}

}  // namespace kith
