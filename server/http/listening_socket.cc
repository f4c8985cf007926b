#include "server/http/listening_socket.h"

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

namespace kith::http {
namespace {

constexpr int kBacklog = 64;

// How long a machine that has no file descriptors or memory left is given before the next try.
constexpr int kPauseMilliseconds = 50;

absl::Status CannotListen(const std::string& host, int port, const char* why) {
  return Error(absl::StatusCode::kUnavailable, Reason::kInternal,
               absl::StrCat("cannot listen on ", host, " port ", port, " for HTTP: ", why));
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  const bool is_ipv6 = address.ss_family == AF_INET6;
  return ntohs(is_ipv6 ? reinterpret_cast<sockaddr_in6*>(&address)->sin6_port
                       : reinterpret_cast<sockaddr_in*>(&address)->sin_port);
}

bool BindAndListen(int socket, const addrinfo& address) {
  const int yes = 1;
  // Not SO_REUSEPORT: a second kithd on the same port would quietly share its requests.
  return setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
         bind(socket, address.ai_addr, address.ai_addrlen) == 0 && listen(socket, kBacklog) == 0;
}

// Whether `socket` is readable before `closed` is.
bool WaitFor(int socket, int closed) {
  while (true) {
    pollfd waited[] = {{socket, POLLIN, 0}, {closed, POLLIN, 0}};
    const int ready = poll(waited, 2, -1);
    if (ready > 0) return waited[1].revents == 0;
    if (ready < 0 && errno != EINTR) return false;
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
  const int listening = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int closed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ListeningSocket result(listening, closed, port);
  if (listening < 0 || closed < 0 || !BindAndListen(listening, *found)) {
    return CannotListen(host, port, std::strerror(errno));
  }
  result.port_ = PortOf(listening);
  return result;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), closed_(std::exchange(other.closed_, -1)), port_(other.port_) {}

ListeningSocket::~ListeningSocket() {
  if (socket_ >= 0) close(socket_);
  if (closed_ >= 0) close(closed_);
}

int ListeningSocket::Accept() const {
  while (WaitFor(socket_, closed_)) {
    const int accepted = accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
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

}  // namespace kith::http
