// Takes clients' connections and hands them to gRPC.
//
// gRPC's own listener takes as many as there are, and none ever again once the process had no file descriptor left for
// one. So Kith listens itself, takes no more than a limit, and ends those by which only streams come that are reset.
#pragma once

#include <grpcpp/grpcpp.h>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "server/base/listening_socket.h"
#include "server/rpc/flood_watch.h"
#include "server/telemetry/metrics.h"

namespace kith::rpc {

// The most connections that a process with its limit of open files can have, `wanted` at most; some files are left for
// all else. Raises that limit as far as it may.
int ConnectionsPossible(int wanted);

// Of a server.
struct ConnectionLimits {
  int connections = 0;
  int streams = 0;  // of a connection at once
};

// Not thread-safe.
class Connections {
 public:
  // Listens on HOST:PORT (port 0 takes a free one) for a server that `builder` will make with these credentials, and
  // counts in `metrics`. UNAVAILABLE where the address cannot be had.
  static absl::StatusOr<std::unique_ptr<Connections>> Listen(
      const std::string& listen, const ConnectionLimits& limits,
      const std::shared_ptr<grpc::ServerCredentials>& credentials, std::shared_ptr<telemetry::Metrics> metrics,
      grpc::ServerBuilder* builder);

  // As Stop.
  ~Connections();

  // Takes connections from now on. The server has been started, no other one of this process since, and stays until
  // Stop. What comes beyond the limit is closed at once, and so told to the client as a server that is not reached.
  void Start();

  // No more are taken. Those that there are stay.
  void Stop();

  // No more are taken, and those that there are end once what was answered has arrived, or `patience` is over: a call
  // that is made on one then is UNAVAILABLE to its client.
  void Finish(std::chrono::milliseconds patience);

  int port() const { return socket_.port(); }

 private:
  Connections(ListeningSocket socket, std::unique_ptr<FloodWatch> watch)
      : socket_(std::move(socket)), watch_(std::move(watch)) {}

  void TakeAll();

  const ListeningSocket socket_;
  const std::unique_ptr<FloodWatch> watch_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::thread thread_;
};

}  // namespace kith::rpc
