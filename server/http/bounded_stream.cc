#include "server/http/bounded_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace kith::http {
namespace {

// How often a connection that is waited for is looked at otherwise.
constexpr std::chrono::milliseconds kLook(50);

}  // namespace

BoundedStream::BoundedStream(int socket, const Limits& limits, const ConnectionQueue& others)
    : socket_(socket), limits_(limits), others_(others), bytes_left_(limits.request_bytes) {}

bool BoundedStream::Wait(int16_t events) const {
  while (true) {
    const auto had = Clock::now() - start_;
    if (had >= limits_.time) return false;
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(limits_.time - had);
    pollfd waited{socket_, events, 0};
    const int ready = poll(&waited, 1, static_cast<int>(std::clamp(rest, std::chrono::milliseconds(1), kLook).count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (Clock::now() - start_ >= limits_.grace && others_.IsWanted()) return false;
  }
}

bool BoundedStream::is_readable() const { return given_ < buffered_ || Wait(POLLIN); }

bool BoundedStream::is_writable() const { return Wait(POLLOUT); }

ssize_t BoundedStream::read(char* bytes, size_t size) {
  if (given_ == buffered_) {
    if (bytes_left_ == 0 || !Wait(POLLIN)) return -1;
    const ssize_t got = recv(socket_, buffer_.data(), std::min(buffer_.size(), bytes_left_), 0);
    if (got <= 0) return got;
    buffered_ = static_cast<size_t>(got);
    bytes_left_ -= buffered_;
    given_ = 0;
  }
  const size_t taken = std::min(size, buffered_ - given_);
  std::copy_n(buffer_.data() + given_, taken, bytes);
  given_ += taken;
  return static_cast<ssize_t>(taken);
}

ssize_t BoundedStream::write(const char* bytes, size_t size) {
  if (!Wait(POLLOUT)) return -1;
  return send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Nobody is told who asked.
void BoundedStream::get_remote_ip_and_port(std::string& /*ip*/, int& port) const { port = 0; }
void BoundedStream::get_local_ip_and_port(std::string& /*ip*/, int& port) const { port = 0; }

}  // namespace kith::http
