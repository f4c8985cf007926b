#include "server/rpc/connections.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "server/config/listen.h"

namespace kith::rpc {
namespace {

constexpr int kFilesForAllElse = 512;  // data, downloads, the page over HTTP; half of what there is where that is less

// What is sent to a client that is gone, and was not told of by its machine.
constexpr unsigned kLostMilliseconds = 20'000;

// As gRPC's own listener does.
void SetOptions(int socket) {
  const int yes = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &kLostMilliseconds, sizeof(kLostMilliseconds));
  fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
}

}  // namespace

int ConnectionsPossible(int wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  rlimit raised = files;
  raised.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  const auto else_needed = std::min<rlim_t>(kFilesForAllElse, files.rlim_cur / 2);
  return static_cast<int>(std::min<rlim_t>(static_cast<rlim_t>(wanted), files.rlim_cur - else_needed));
}

absl::StatusOr<std::unique_ptr<Connections>> Connections::Listen(
    const std::string& listen, const ConnectionLimits& limits,
    const std::shared_ptr<grpc::ServerCredentials>& credentials, std::shared_ptr<telemetry::Metrics> metrics,
    grpc::ServerBuilder* builder) {
  const auto address = config::ParseListen(listen);
  if (!address.ok()) return address.status();
  auto socket = ListeningSocket::Open(address->host, address->port);
  if (!socket.ok()) return socket.status();
  auto watch = FloodWatch::Make(static_cast<size_t>(limits.connections), limits.streams, std::move(metrics));
  if (!watch.ok()) return watch.status();
  std::unique_ptr<Connections> connections(new Connections(*std::move(socket), *std::move(watch)));
  using Type = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  connections->acceptor_ = builder->experimental().AddExternalConnectionAcceptor(Type::FROM_FD, credentials);
  return connections;
}

Connections::~Connections() { Stop(); }

void Connections::Start() {
  watch_->Start();
  thread_ = std::thread([this] { TakeAll(); });
}

void Connections::Stop() {
  socket_.Close();
  if (thread_.joinable()) thread_.join();
}

void Connections::Finish(std::chrono::milliseconds patience) {
  Stop();
  watch_->FinishAll(patience);
}

void Connections::TakeAll() {
  for (int socket = socket_.Accept(); socket >= 0; socket = socket_.Accept()) {
    if (!watch_->HasRoom()) {
      close(socket);
      continue;
    }
    SetOptions(socket);
    watch_->Add(socket);
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = -1;
    connection.fd = socket;
    acceptor_->HandleNewConnection(&connection);
  }
}

}  // namespace kith::rpc
