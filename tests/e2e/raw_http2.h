// HTTP/2 by hand: for what no client library would send.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kith::e2e {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};

constexpr uint8_t kEndStream = 1;   // of DATA and HEADERS
constexpr uint8_t kEndHeaders = 4;  // of HEADERS and CONTINUATION

// What a connection starts with: the client's preface, and its settings.
std::string Preface(std::string_view settings = "");

// One setting: RFC 9113, 6.5.1.
std::string HttpSetting(uint16_t id, uint32_t value);

std::string Frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);

// Header fields, not compressed.
std::string HeaderBlock(const std::string& path);
std::string HeaderField(std::string_view name, std::string_view value);

// HEADERS of a gRPC call.
std::string CallHeaders(uint32_t stream, const std::string& path);

// So many streams of gRPC calls that are opened and reset at once, from the first on.
std::string ResetStreams(uint32_t count);

// A message in a gRPC frame, in as many DATA frames as it takes.
std::string Message(uint32_t stream, std::string_view message);

// A number in network order.
std::string Number(uint64_t value, int bytes);

// A TCP connection. Nothing that goes wrong with it is an error: the server may well have ended it.
class RawConnection {
 public:
  // HOST:PORT; to that port of ::1 where the host is that, and of 127.0.0.1 for any other.
  explicit RawConnection(const std::string& address);
  ~RawConnection();
  RawConnection(RawConnection&& other) noexcept;
  RawConnection& operator=(RawConnection&&) = delete;

  bool connected() const { return socket_ >= 0; }

  // False once the server takes no more. Where it takes nothing for a while (flow control), as much as it took is sent.
  bool Send(std::string_view bytes);

  // No more is sent.
  void HalfClose();

  // Reads until the server ends the connection; how many bytes it sent.
  size_t ReadToTheEnd();

 private:
  int socket_ = -1;
};

}  // namespace kith::e2e
