#include "tests/e2e/raw_http2.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace kith::e2e {
namespace {

constexpr size_t kFrameBytes = 16384;  // RFC 9113's least maximum
constexpr int kStalledMilliseconds = 300;

}  // namespace

std::string Number(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string Frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string frame = Number(payload.size(), 3);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  return frame.append(Number(stream, 4)).append(payload);
}

std::string Preface(std::string_view settings) {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(FrameType::kSettings, 0, 0, settings);
}

std::string HttpSetting(uint16_t id, uint32_t value) { return Number(id, 2) + Number(value, 4); }

// RFC 7541, 6.2.2: a literal without indexing, with a new name.
std::string HeaderField(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  field += static_cast<char>(name.size());
  field.append(name);
  field += static_cast<char>(value.size());
  return field.append(value);
}

std::string HeaderBlock(const std::string& path) {
  return HeaderField(":method", "POST") + HeaderField(":scheme", "http") + HeaderField(":path", path) +
         HeaderField(":authority", "localhost") + HeaderField("te", "trailers") +
         HeaderField("content-type", "application/grpc");
}

std::string CallHeaders(uint32_t stream, const std::string& path) {
  return Frame(FrameType::kHeaders, kEndHeaders, stream, HeaderBlock(path));
}

std::string ResetStreams(uint32_t count) {
  constexpr uint64_t kCancel = 8;
  std::string frames;
  for (uint32_t stream = 1; stream < 2 * count; stream += 2) {
    frames += CallHeaders(stream, "/kith.v1.Retrieval/StreamSearch");
    frames += Frame(FrameType::kReset, 0, stream, Number(kCancel, 4));
  }
  return frames;
}

std::string Message(uint32_t stream, std::string_view message) {
  const std::string framed = Number(0, 1) + Number(message.size(), 4) + std::string(message);
  std::string frames;
  for (size_t at = 0; at < framed.size(); at += kFrameBytes) {
    frames += Frame(FrameType::kData, 0, stream, std::string_view(framed).substr(at, kFrameBytes));
  }
  return frames;
}

RawConnection::RawConnection(const std::string& address) {
  const size_t colon = address.rfind(':');
  const in_port_t port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = port;
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  v6.sin6_port = port;
  const bool is_v6 = address.substr(0, colon) == "[::1]";
  const auto* const server = is_v6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socket_ = socket(server->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ >= 0 && connect(socket_, server, is_v6 ? sizeof(v6) : sizeof(v4)) != 0) {
    close(std::exchange(socket_, -1));
  }
}

RawConnection::RawConnection(RawConnection&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}

RawConnection::~RawConnection() {
  if (socket_ >= 0) close(socket_);
}

bool RawConnection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      pollfd writable{socket_, POLLOUT, 0};
      if (poll(&writable, 1, kStalledMilliseconds) == 0) return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void RawConnection::HalfClose() { shutdown(socket_, SHUT_WR); }

size_t RawConnection::ReadToTheEnd() {
  size_t bytes = 0;
  char read[4096];
  for (ssize_t got; (got = recv(socket_, read, sizeof(read), 0)) > 0;) bytes += static_cast<size_t>(got);
  return bytes;
}

}  // namespace kith::e2e
