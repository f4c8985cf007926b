// TCP sockets that listen.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kith {

// Owns them. Accept is for one thread, Close for any.
class ListeningSocket {
 public:
  // On every address that `host` stands for (a name or an address, IPv6 without brackets) and that can be had, all on
  // one port; port 0 takes a free one. UNAVAILABLE where none can be had.
  static absl::StatusOr<ListeningSocket> Open(const std::string& host, int port);

  ~ListeningSocket();
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;

  int port() const { return port_; }

  // Waits for the next connection and gives its socket, which is the caller's; -1 once there are no more. What goes
  // wrong with one connection, or for a while with all (no file descriptors, no memory), is left behind.
  int Accept() const;

  // Ends Accept for good.
  void Close() const;

 private:
  ListeningSocket(int closed, int port) : closed_(closed), port_(port) {}

  std::vector<int> sockets_;
  int closed_;  // an eventfd; readable once closed
  int port_;
};

}  // namespace kith
