#include "server/http/bounded_stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

namespace kith::http {
namespace {

// How often a connection that is waited for is looked at otherwise.
constexpr std::chrono::milliseconds kLook(50);

}  // namespace

BoundedStream::BoundedStream(int socket, const Limits& limits, const ConnectionQueue& others, Ssl tls)
    : socket_(socket), tls_(std::move(tls)), limits_(limits), others_(others), bytes_left_(limits.request_bytes) {
  // OpenSSL would wait by itself otherwise.
  if (tls_ != nullptr) fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
}

BoundedStream::~BoundedStream() {
  if (tls_ == nullptr) return;
  if (SSL_is_init_finished(tls_.get())) SSL_shutdown(tls_.get());
  ERR_clear_error();
}

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

bool BoundedStream::is_readable() const {
  return given_ < buffered_ || (tls_ != nullptr && SSL_pending(tls_.get()) > 0) || Wait(POLLIN);
}

bool BoundedStream::is_writable() const { return Wait(POLLOUT); }

ssize_t BoundedStream::read(char* bytes, size_t size) {
  if (given_ == buffered_) {
    if (bytes_left_ == 0) return -1;
    const ssize_t got = Receive(std::min(buffer_.size(), bytes_left_));
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

ssize_t BoundedStream::write(const char* bytes, size_t size) { return Send(bytes, size); }

ssize_t BoundedStream::Receive(size_t most) {
  if (tls_ != nullptr) {
    return UntilDone([&] { return SSL_read(tls_.get(), buffer_.data(), static_cast<int>(most)); });
  }
  return Wait(POLLIN) ? recv(socket_, buffer_.data(), most, 0) : -1;
}

ssize_t BoundedStream::Send(const char* bytes, size_t size) {
  if (tls_ != nullptr) {
    const int most = static_cast<int>(std::min<size_t>(size, std::numeric_limits<int>::max()));
    return UntilDone([&] { return SSL_write(tls_.get(), bytes, most); });
  }
  return Wait(POLLOUT) ? send(socket_, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
}

template <typename Attempt>
ssize_t BoundedStream::UntilDone(Attempt attempt) {
  while (true) {
    ERR_clear_error();
    const int result = attempt();
    if (result > 0) return result;
    switch (SSL_get_error(tls_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        if (!Wait(POLLIN)) return -1;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (!Wait(POLLOUT)) return -1;
        break;
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      default:
        return -1;
    }
  }
}

// Nobody is told who asked.
void BoundedStream::get_remote_ip_and_port(std::string& /*ip*/, int& port) const { port = 0; }
void BoundedStream::get_local_ip_and_port(std::string& /*ip*/, int& port) const { port = 0; }

}  // namespace kith::http
