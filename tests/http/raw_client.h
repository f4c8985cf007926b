// A client that sends what it likes, as fast as it likes.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace kith::http {

class RawClient {
 public:
  // To a port of 127.0.0.1. With `window`, no more bytes than about so many are taken before Read.
  explicit RawClient(int port, int window = 0) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (window > 0) setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~RawClient() { close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Whether all could be sent: the server may have closed.
  bool Send(const std::string& bytes) const {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t now = send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return false;
      sent += static_cast<size_t>(now);
    }
    return true;
  }

  // No more will be sent.
  void EndOfRequest() const { shutdown(socket_, SHUT_WR); }

  // All that comes until the server closes.
  std::string Read() const {
    std::string all;
    char bytes[4096];
    for (ssize_t got = recv(socket_, bytes, sizeof(bytes), 0); got > 0; got = recv(socket_, bytes, sizeof(bytes), 0)) {
      all.append(bytes, static_cast<size_t>(got));
    }
    return all;
  }

 private:
  const int socket_;
};

// The whole answer to a request.
inline std::string Ask(int port, const std::string& request) {
  const RawClient client(port);
  client.Send(request);
  client.EndOfRequest();
  return client.Read();
}

inline std::string Get(int port, const std::string& path) {
  return Ask(port, "GET " + path + " HTTP/1.1\r\nHost: kith\r\n\r\n");
}

}  // namespace kith::http
