#include "server/base/known_socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>  // <netinet/tcp.h> does not have all of tcp_info
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace kith {
namespace {

constexpr size_t kThrownAwayAtOnce = size_t{1} << 30;

// 0 for what is no socket.
ino_t InodeOf(int socket) {
  struct stat status {};
  return fstat(socket, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

// Without a copy of it.
void ThrowAwayUnread(int socket) {
  while (recv(socket, nullptr, kThrownAwayAtOnce, MSG_TRUNC | MSG_DONTWAIT) > 0 || errno == EINTR) errno = 0;
}

}  // namespace

KnownSocket::KnownSocket(int socket) : socket_(socket), inode_(InodeOf(socket)) {}

bool KnownSocket::IsOpen() const { return InodeOf(socket_) == inode_; }

int64_t KnownSocket::BytesReceived() const {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return static_cast<int64_t>(info.tcpi_bytes_received);
}

int64_t KnownSocket::BytesUnderWay() const {
  int bytes = 0;
  return ioctl(socket_, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

template <typename Use>
bool KnownSocket::WithCopy(Use use) const {
  const int copy = fcntl(socket_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return false;
  const bool is_it = InodeOf(copy) == inode_;
  if (is_it) use(copy);
  close(copy);
  return is_it;
}

bool KnownSocket::Break() const {
  return WithCopy([](int socket) {
    // Once its owner closes it, its peer is told at once, and the kernel keeps nothing that the peer does not take.
    const linger no_farewell{1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &no_farewell, sizeof(no_farewell));
    shutdown(socket, SHUT_RDWR);
    ThrowAwayUnread(socket);  // what comes after this is refused by the kernel
  });
}

bool KnownSocket::Finish() const {
  return WithCopy([](int socket) { shutdown(socket, SHUT_RDWR); });
}

}  // namespace kith
