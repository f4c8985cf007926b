#include "server/rpc/server.h"

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/stubs/logging.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/base/status.h"
#include "server/config/listen.h"
#include "server/rpc/tls_credentials.h"

namespace kith::rpc {
namespace {

// How long the last answers have to arrive. Whoever waits for the next start waits for this, where a client is slow.
constexpr std::chrono::milliseconds kFarewell(200);

// A connection that does not say in this time that it speaks HTTP/2 is closed.
constexpr int kHandshakeMilliseconds = 10'000;

// Calls of one connection, besides streams, that may be under way; further ones wait at the client.
constexpr int kCallsOfAConnection = 256;

// Those that what is so open asks for; null for none.
const auth::Tokens* TokensFor(Openness openness, const Security& security) {
  return openness == Openness::kOpen ? nullptr : security.tokens;
}

// From this machine, or with a certificate.
bool OnlyTheTrustedConnect(const std::string& listen, const Security& security) {
  const auto address = config::ParseListen(listen);
  return (address.ok() && config::IsLoopback(*address)) ||
         (security.tls != nullptr && !security.tls->Get()->client_ca.empty());
}

}  // namespace

Server::Server(const Context& context, const Security& security)
    : registry_(context.registry),
      trainer_(context.trainer),
      gate_(context.metrics, security.tokens, std::make_unique<auth::RateLimits>(context.limits->Get())),
      answers_(context.limits->Get().answer_bytes),
      retrieval_(WithAnswers(context), &gate_),
      experiments_(context, &gate_),
      health_(TokensFor(security.health, security)),
      reflection_(TokensFor(security.reflection, security)),
      credentials_(security.tls == nullptr ? grpc::InsecureServerCredentials() : MakeTlsCredentials(security.tls)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Context& context, const std::string& listen,
                                                      const Security& security) {
  // Debian's absl looks for deadlocks at every lock that gRPC takes, which costs 2 to 3 % of a block.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const config::Limits limits = context.limits->Get();
  std::unique_ptr<Server> server(new Server(context, security));
  google::protobuf::SetLogHandler(nullptr);  // it writes a line for whatever a client gets wrong in a message
  grpc::ServerBuilder builder;
  const ConnectionLimits bounds{ConnectionsPossible(limits.connections), limits.streams + kCallsOfAConnection};
  auto connections = Connections::Listen(listen, bounds, server->credentials_, context.metrics, &builder);
  if (!connections.ok()) return connections.status();
  server->connections_ = *std::move(connections);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, bounds.streams);
  // A client whose machine is gone must not hold its stream, or its upload, for ever.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  grpc::ResourceQuota buffers("kithd");
  buffers.Resize(static_cast<size_t>(limits.message_buffers));
  builder.SetResourceQuota(buffers);
  builder.SetMaxReceiveMessageSize(limits.message_bytes);
  builder.SetMaxSendMessageSize(-1);  // what was asked for is sent
  builder.RegisterService(&server->retrieval_);
  builder.RegisterService(&server->experiments_);
  builder.RegisterService(&server->health_);
  if (security.reflection != Openness::kOff) builder.RegisterService(&server->reflection_);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return Error(absl::StatusCode::kUnavailable, Reason::kInternal, "gRPC does not start; its log says why");
  }
  if (OnlyTheTrustedConnect(listen, security)) server->pollers_ = std::make_unique<FewPollers>(server->server_.get());
  server->connections_->Start();
  server->address_ = absl::StrCat(listen.substr(0, listen.rfind(':')), ":", server->connections_->port());
  server->health_.SetServing(true);
  return server;
}

Server::~Server() {
  if (server_ != nullptr) Drain(std::chrono::milliseconds(0));
}

bool Server::Answers(std::chrono::milliseconds time) const {
  const auto health = grpc::health::v1::Health::NewStub(server_->InProcessChannel({}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + time);
  grpc::health::v1::HealthCheckResponse response;
  return health->Check(&context, {}, &response).error_code() != grpc::DEADLINE_EXCEEDED;
}

void Server::Drain(std::chrono::milliseconds patience) {
  health_.SetServing(false);
  gate_.Close();
  trainer_->Cancel();
  retrieval_.Drain();
  experiments_.Drain();
  gate_.WaitUntilEmpty(patience);
  // Before gRPC stops: it would answer CANCELLED to what comes from then on, by which nobody can tell that it was not
  // begun.
  connections_->Finish(kFarewell);
  pollers_.reset();
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  registry_->StopLoading();  // calls that are cancelled need not wait for theirs
  gate_.WaitUntilEmpty();    // calls that are over and are being deleted in the pool
}

}  // namespace kith::rpc
