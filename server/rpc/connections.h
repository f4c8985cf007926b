// Takes clients' connections and hands them to gRPC.
//
// gRPC's own listener takes as many as there are, and none ever again once the process had no file descriptor left for
// one. So Kith listens itself, and takes no more than a limit.
#pragma once

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/listening_socket.h"

namespace kith::rpc {

// The most connections that a process with its limit of open files can have, `wanted` at most; some files are left for
// all else. Raises that limit as far as it may.
int ConnectionsPossible(int wanted);

// Not thread-safe.
class Connections {
 public:
  // Listens on HOST:PORT (port 0 takes a free one) for a server that `builder` will make with these credentials.
  // UNAVAILABLE where the address cannot be had.
  static absl::StatusOr<std::unique_ptr<Connections>> Listen(
      const std::string& listen, int most, const std::shared_ptr<grpc::ServerCredentials>& credentials,
      grpc::ServerBuilder* builder);

  // As Stop.
  ~Connections();

  // Takes connections from now on. The server has been started, and stays until Stop. What comes beyond the limit is
  // closed at once, and so told to the client as a server that is not reached.
  void Start();

  // No more are taken. Those that there are stay.
  void Stop();

  int port() const { return socket_.port(); }

 private:
  // Known by its inode as well: gRPC closes the socket, and the number goes to another file.
  struct Taken {
    int socket;
    ino_t inode;
  };

  Connections(ListeningSocket socket, int most) : socket_(std::move(socket)), most_(static_cast<size_t>(most)) {}

  void TakeAll();
  // Whether there may be another one.
  bool HasRoom();

  const ListeningSocket socket_;
  const size_t most_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::vector<Taken> taken_;  // and not known to be gone; the thread's
  std::thread thread_;
};

}  // namespace kith::rpc
