#include "client/cpp/target.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace kith::client {
namespace {

bool HasScheme(absl::string_view target) {
  for (const absl::string_view scheme : {"unix:", "unix-abstract:", "dns:", "ipv4:", "ipv6:"}) {
    if (absl::StartsWith(target, scheme)) return true;
  }
  return absl::StrContains(target, "://");
}

}  // namespace

std::string WithPort(std::string target) {
  if (absl::StartsWith(target, "kith://")) {
    target = std::string(absl::StripSuffix(absl::StripPrefix(target, "kith://"), "/"));
  }
  if (HasScheme(target)) return target;
  const size_t bracket = target.rfind(']');  // of an IPv6 address
  const size_t colon = target.rfind(':');
  const bool has_port = colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  return has_port ? target : absl::StrCat(target, ":50051");
}

absl::Status CheckTarget(const std::string& target) {
  const std::string whole = WithPort(target);
  if (HasScheme(whole)) return absl::OkStatus();
  const auto bad = [&target](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("'", target, "' is no HOST:PORT: ", why));
  };
  const size_t colon = whole.rfind(':');
  const absl::string_view host = absl::string_view(whole).substr(0, colon);
  int port = 0;
  if (!absl::SimpleAtoi(whole.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return bad("a port is a number from 1 to 65535");
  }
  if (host.empty()) return bad("there is no host in it");
  if (absl::StrContains(host, ':') && !(host.front() == '[' && host.back() == ']')) {
    return bad("an IPv6 address stands in brackets, as [::1]:50051");
  }
  return absl::OkStatus();
}

bool IsThisMachine(absl::string_view target) {
  if (absl::StartsWith(target, "unix:")) return true;
  absl::ConsumePrefix(&target, "kith://");
  return absl::StartsWith(target, "127.") || absl::StartsWith(target, "[::1]") ||
         target.substr(0, target.find(':')) == "localhost";
}

}  // namespace kith::client
