#include "server/base/listening_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith {
namespace {

constexpr int kBacklog = 1024;

// How long a machine that has no file descriptors or memory left is given before the next try.
constexpr int kPauseMilliseconds = 50;

absl::Status CannotListen(const std::string& host, int port, const char* why) {
  return Error(absl::StatusCode::kUnavailable, Reason::kInternal,
               absl::StrCat("cannot listen on ", host.find(':') == std::string::npos ? host : "[" + host + "]", ":", port,
                            ": ", why));
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  const bool is_ipv6 = address.ss_family == AF_INET6;
  return ntohs(is_ipv6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                       : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

// A socket that listens on the address with `port` in the place of its own; -1 where it cannot be had.
int ListenOn(const addrinfo& address, int port) {
  const int listening = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listening < 0) return -1;
  sockaddr_storage with_port{};
  std::memcpy(&with_port, address.ai_addr, address.ai_addrlen);
  if (address.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&with_port)->sin6_port = htons(static_cast<uint16_t>(port));
  } else {
    reinterpret_cast<sockaddr_in*>(&with_port)->sin_port = htons(static_cast<uint16_t>(port));
  }
  const int yes = 1;
  // Not SO_REUSEPORT: a second kithd on the same port would quietly share its connections.
  if (setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
      bind(listening, reinterpret_cast<sockaddr*>(&with_port), address.ai_addrlen) == 0 &&
      listen(listening, kBacklog) == 0) {
    return listening;
  }
  const int error = errno;
  close(listening);
  errno = error;
  return -1;
}

// Waits for a socket that is readable; -1 once `closed` is.
int WaitForOne(const std::vector<int>& sockets, int closed) {
  std::vector<pollfd> waited{{closed, POLLIN, 0}};
  for (const int socket : sockets) waited.push_back({socket, POLLIN, 0});
  while (true) {
    const int ready = poll(waited.data(), waited.size(), -1);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    if (waited[0].revents != 0) return -1;
    for (const pollfd& socket : waited) {
      if (socket.revents != 0) return socket.fd;
    }
  }
}

}  // namespace

absl::StatusOr<ListeningSocket> ListeningSocket::Open(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
    return CannotListen(host, port, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  ListeningSocket result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), port);
  for (const addrinfo* address = found; address != nullptr && result.closed_ >= 0; address = address->ai_next) {
    const int listening = ListenOn(*address, result.port_);
    if (listening < 0) continue;
    result.sockets_.push_back(listening);
    result.port_ = PortOf(listening);
  }
  if (result.sockets_.empty()) return CannotListen(host, port, std::strerror(errno));
  return result;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : sockets_(std::move(other.sockets_)), closed_(std::exchange(other.closed_, -1)), port_(other.port_) {
  other.sockets_.clear();
}

ListeningSocket::~ListeningSocket() {
  for (const int socket : sockets_) close(socket);
  if (closed_ >= 0) close(closed_);
}

int ListeningSocket::Accept() const {
  for (int ready = WaitForOne(sockets_, closed_); ready >= 0; ready = WaitForOne(sockets_, closed_)) {
    const int accepted = accept4(ready, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted >= 0) return accepted;
    const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    pollfd closed{closed_, POLLIN, 0};
    if (exhausted) poll(&closed, 1, kPauseMilliseconds);
  }
  return -1;
}

void ListeningSocket::Close() const {
  const uint64_t one = 1;
  (void)!write(closed_, &one, sizeof(one));
}

}  // namespace kith
