// One request: its context with deadline, metadata and cancellation; and when it is worth a second try.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "client/cpp/connection.h"
#include "client/cpp/error.h"
#include "client/cpp/status.h"
#include "grpcpp/client_context.h"

namespace kith::client {

// A grpc::ClientContext that a Cancellation can end.
class CallContext {
 public:
  // An empty `experiment` adds no metadata of it: for calls that concern none.
  CallContext(const Connection& connection, std::string_view experiment, absl::Time deadline, const CallOptions& call);
  ~CallContext();
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  grpc::ClientContext* grpc() { return &context_; }

 private:
  grpc::ClientContext context_;
  Cancellation* const cancellation_;
  int64_t registration_ = 0;
};

// When a call must be over: its own timeout counted from now, else never.
absl::Time DeadlineOf(const CallOptions& call);

// A server that stops calls off what just came in. To who did not cancel it himself that is a broken connection.
absl::Status OfServer(absl::Status status, const std::string& target, const Cancellation* cancellation);

// Whether a failed attempt may be made again now; waits as long as the server asked for, or a short backoff. False past
// the deadline, when cancelled, or for errors that do not pass by themselves.
bool WaitBeforeRetry(const absl::Status& status, int attempt, absl::Time deadline, const Cancellation* cancellation);

// Runs attempt() -> absl::Status, connected, and up to twice more while the connection breaks or the server is
// draining; each time it waits for it to be back, for connect_timeout at most. For calls that may be repeated without
// harm.
template <typename Attempt>
absl::Status WithRetries(Connection& connection, absl::Time deadline, const CallOptions& call, Attempt attempt) {
  for (int number = 0;; ++number) {
    const absl::Status ready = number == 0 ? connection.WaitUntilReady(deadline, call.cancellation)
                                           : connection.WaitUntilBack(deadline, call.cancellation);
    if (!ready.ok()) return ready;
    const absl::Status status = OfServer(attempt(), connection.target(), call.cancellation);
    if (status.ok() || !WaitBeforeRetry(status, number, deadline, call.cancellation)) return status;
  }
}

// One attempt at a unary request, connected: rpc(context, &response) -> grpc::Status.
template <typename Response, typename Rpc>
absl::Status Attempt(Connection& connection, std::string_view experiment, absl::Duration unary_timeout,
                     absl::Time deadline, const CallOptions& call, Rpc rpc, Response* response) {
  const absl::Time limit = call.timeout ? deadline : absl::Now() + unary_timeout;
  CallContext context(connection, experiment, limit, call);
  response->Clear();
  return FromGrpc(rpc(context.grpc(), response), connection.target());
}

// One unary request with retries.
template <typename Response, typename Rpc>
absl::StatusOr<Response> Unary(Connection& connection, std::string_view experiment, absl::Duration unary_timeout,
                               absl::Time deadline, const CallOptions& call, Rpc rpc) {
  Response response;
  absl::Status status = WithRetries(connection, deadline, call, [&] {
    return Attempt(connection, experiment, unary_timeout, deadline, call, rpc, &response);
  });
  if (!status.ok()) return status;
  return response;
}

// One unary request, made once only: for what a second attempt after a lost answer would do again.
template <typename Response, typename Rpc>
absl::StatusOr<Response> UnaryOnce(Connection& connection, std::string_view experiment, absl::Duration unary_timeout,
                                   const CallOptions& call, Rpc rpc) {
  const absl::Time deadline = DeadlineOf(call);
  if (absl::Status ready = connection.WaitUntilReady(deadline, call.cancellation); !ready.ok()) return ready;
  Response response;
  absl::Status status = Attempt(connection, experiment, unary_timeout, deadline, call, rpc, &response);
  if (!status.ok()) return status;
  return response;
}

}  // namespace kith::client
