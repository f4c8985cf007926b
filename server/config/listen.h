// The address that the server listens on.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kith::config {

struct Listen {
  std::string host;  // an IPv6 address without its brackets
  int port = 0;      // 0: any free one
};

// HOST:PORT with a host name, an IPv4 address or an IPv6 address in brackets ([::1]:50051), port 0 to 65535. Names are
// not looked up.
absl::StatusOr<Listen> ParseListen(absl::string_view text);

// Whether only this machine can reach it: 127.0.0.0/8, ::1 or localhost.
bool IsLoopback(const Listen& listen);

}  // namespace kith::config
