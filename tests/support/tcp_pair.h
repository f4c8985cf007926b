// The two ends of a TCP connection over the loopback.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "server/base/listening_socket.h"

namespace kith::testing {

// A socket that is connected to a port of 127.0.0.1; its owner closes it.
inline int ConnectTo(int port) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(static_cast<uint16_t>(port));
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || connect(socket, reinterpret_cast<sockaddr*>(&server), sizeof(server)) != 0) {
    throw std::runtime_error("no connection over the loopback");
  }
  return socket;
}

class TcpPair {
 public:
  explicit TcpPair(const ListeningSocket& listening)
      : client_(ConnectTo(listening.port())), server_(listening.Accept()) {}
  ~TcpPair() {
    CloseClient();
    CloseServer();
  }
  TcpPair(const TcpPair&) = delete;
  TcpPair& operator=(const TcpPair&) = delete;

  int client() const { return client_; }
  int server() const { return server_; }
  void CloseClient() {
    if (client_ >= 0) close(std::exchange(client_, -1));
  }
  void CloseServer() {
    if (server_ >= 0) close(std::exchange(server_, -1));
  }

 private:
  int client_;
  int server_;
};

}  // namespace kith::testing
