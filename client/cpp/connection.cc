#include "client/cpp/connection.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cpp/credentials.h"
#include "client/cpp/not_reached.h"
#include "client/cpp/target.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace kith::client {
namespace {

// Short, so that a client is back soon after a restart of the server: what it waits here is sound that passes
// unchanged.
constexpr absl::Duration kMaxBackoff = absl::Milliseconds(200);
constexpr absl::Duration kPollInterval = absl::Milliseconds(50);  // how soon a cancellation is seen
constexpr absl::Duration kAskingWhy = absl::Milliseconds(100);    // a channel that has failed answers at once

// 5 minutes is the shortest keepalive that every gRPC server takes without being told to; it also makes the kernel give
// a connection up whose data nobody acknowledges for 20 s.
constexpr absl::Duration kKeepalive = absl::Minutes(5);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);

int Milliseconds(absl::Duration duration) { return static_cast<int>(absl::ToInt64Milliseconds(duration)); }

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& target, const ClientOptions& options,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetMaxSendMessageSize(options.max_message_bytes);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(kKeepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(kKeepaliveTimeout));
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kMaxBackoff));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(options.connect_timeout));  // of one attempt
  return grpc::CreateCustomChannel(target, credentials, arguments);
}

}  // namespace

Connection::Connection(const ClientOptions& options) : Connection(options, CredentialsOf(options)) {}

Connection::Connection(const ClientOptions& options,
                       const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>>& credentials)
    : target_(WithPort(options.target)),
      tls_(options.tls.enabled()),
      authorization_(options.token.empty() ? "" : absl::StrCat("Bearer ", options.token)),
      options_status_(credentials.ok() ? CheckTarget(options.target) : credentials.status()),
      connect_timeout_(options.connect_timeout),
      channel_(MakeChannel(target_, options, credentials.ok() ? *credentials : nullptr)),  // one that fails all calls
      retrieval_(v1::Retrieval::NewStub(channel_)),
      experiments_(v1::Experiments::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

std::string Connection::WhyNot() {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kAskingWhy));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = health_->Check(&context, {}, &response);
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ? status.error_message() : "connection failed";
}

absl::Status Connection::WaitUntilReady(absl::Time deadline, const Cancellation* cancellation) {
  return Wait(deadline, cancellation, /*through_failures=*/false);
}

absl::Status Connection::WaitUntilBack(absl::Time deadline, const Cancellation* cancellation) {
  return Wait(deadline, cancellation, /*through_failures=*/true);
}

absl::Status Connection::Wait(absl::Time deadline, const Cancellation* cancellation, bool through_failures) {
  if (!options_status_.ok()) return options_status_;
  grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
  if (state == GRPC_CHANNEL_READY) return absl::OkStatus();

  // A channel whose last attempt failed waits before the next one; that one decides.
  const bool failed_before = state == GRPC_CHANNEL_TRANSIENT_FAILURE;
  const absl::Duration patience =
      failed_before && !through_failures ? std::min(connect_timeout_, 2 * kMaxBackoff) : connect_timeout_;
  const absl::Time until = std::min(deadline, absl::Now() + patience);
  while (true) {
    if (cancellation != nullptr && cancellation->cancelled()) return absl::CancelledError("cancelled");
    const absl::Time now = absl::Now();
    if (now >= until) return NotReached(target_, tls_, "no connection in time");
    channel_->WaitForStateChange(state, absl::ToChronoTime(std::min(until, now + kPollInterval)));
    state = channel_->GetState(true);
    if (state == GRPC_CHANNEL_READY) return absl::OkStatus();
    if (state == GRPC_CHANNEL_TRANSIENT_FAILURE && !failed_before && !through_failures) {
      return NotReached(target_, tls_, WhyNot());
    }
  }
}

}  // namespace kith::client
