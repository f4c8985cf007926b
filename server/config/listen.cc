#include "server/config/listen.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/status.h"

namespace kith::config {
namespace {

constexpr int kMaxPort = 65535;

bool IsIpv6(absl::string_view host) {
  in6_addr address;
  const std::string without_zone(host.substr(0, host.find('%')));
  return inet_pton(AF_INET6, without_zone.c_str(), &address) == 1;
}

bool IsNameOrIpv4(absl::string_view host) {
  const auto all = [&](auto allowed) { return std::all_of(host.begin(), host.end(), allowed); };
  if (host.empty() || !all([](char c) { return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_'; })) {
    return false;
  }
  if (!all([](char c) { return absl::ascii_isdigit(c) || c == '.'; })) return true;
  in_addr address;
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

bool ParsePort(absl::string_view text, int* port) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
  return digits && absl::SimpleAtoi(text, port) && *port <= kMaxPort;
}

}  // namespace

absl::StatusOr<Listen> ParseListen(absl::string_view text) {
  const auto bad = [&](absl::string_view why) {
    return Error(
        Reason::kBadParameter,
        absl::StrCat("'", text, "' ", why,
                     "; write HOST:PORT, for example 127.0.0.1:50051 (this machine only), 0.0.0.0:50051 (every "
                     "IPv4 interface) or [::1]:50051"));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return bad("has no port");
  absl::string_view host = text.substr(0, colon);
  int port = 0;
  if (!ParsePort(text.substr(colon + 1), &port)) return bad(absl::StrCat("has no port from 0 to ", kMaxPort));
  if (host.empty()) return bad("has no host");
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]") || !IsIpv6(host)) return bad("has no IPv6 address in its brackets");
  } else if (IsIpv6(host) || IsIpv6(text)) {
    return bad("has an IPv6 address without brackets");
  } else if (!IsNameOrIpv4(host)) {
    return bad("has a host that is neither a name nor an address");
  }
  return Listen{std::string(host), port};
}

bool IsLoopback(const Listen& listen) {
  in_addr ipv4{};
  if (inet_pton(AF_INET, listen.host.c_str(), &ipv4) == 1) return ntohl(ipv4.s_addr) >> 24 == 127;
  in6_addr ipv6{};
  if (inet_pton(AF_INET6, listen.host.c_str(), &ipv6) == 1) return IN6_IS_ADDR_LOOPBACK(&ipv6);
  return absl::AsciiStrToLower(listen.host) == "localhost";
}

}  // namespace kith::config
