#include "server/rpc/channelz.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kith::rpc {
namespace {

// Connections get their ids in one order and are listed in another, by so many at most.
constexpr intptr_t kOutOfOrder = 256;

constexpr absl::string_view kLastPage = "\"end\":true";

// What gRPC gave; empty for null.
std::string Taken(char* json) {
  const std::unique_ptr<char, decltype(&gpr_free)> owned(json, gpr_free);
  return json == nullptr ? std::string() : std::string(json);
}

// The text in `object` by this name, without quotes; empty where there is none.
absl::string_view TextIn(absl::string_view object, absl::string_view name) {
  const std::string key = absl::StrCat("\"", name, "\":\"");
  const size_t at = object.find(key);
  if (at == absl::string_view::npos) return {};
  const absl::string_view value = object.substr(at + key.size());
  return value.substr(0, value.find('"'));
}

// Each of a list's objects begins with the brace that the one before ended at.
std::vector<absl::string_view> ObjectsIn(absl::string_view page) { return absl::StrSplit(page, '{'); }

bool IsLastPage(absl::string_view page) { return page.empty() || page.find(kLastPage) != absl::string_view::npos; }

// "chttp2 ipv6:%5Bfe80::1%25eth0%5D:1234" is "ipv6:%5Bfe80::1%5D:1234".
std::string PeerInName(absl::string_view name) {
  const absl::string_view peer = name.substr(name.rfind(' ') + 1);
  const size_t zone = peer.find("%25");
  const size_t end = peer.find("%5D");
  if (zone == absl::string_view::npos || end == absl::string_view::npos) return std::string(peer);
  return absl::StrCat(peer.substr(0, zone), peer.substr(end));
}

}  // namespace

std::string PeerOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char text[INET6_ADDRSTRLEN] = {};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return absl::StrCat("ipv4:", inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text)), ":", ntohs(v4.sin_port));
  }
  if (address.ss_family != AF_INET6) return "";
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof(text));
    return absl::StrCat("ipv4:", text, ":", ntohs(v6.sin6_port));
  }
  return absl::StrCat("ipv6:%5B", inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text)), "%5D:", ntohs(v6.sin6_port));
}

Channelz::Channelz() {
  intptr_t before = -1;
  while (server_ > std::exchange(before, server_)) {
    const std::string page = Taken(grpc_channelz_get_servers(server_ + 1));
    for (const absl::string_view object : ObjectsIn(page)) {
      server_ = std::max<intptr_t>(server_, NumberIn(object, "serverId"));
    }
  }
}

std::vector<Channelz::Connection> Channelz::NewConnections() {
  std::vector<Connection> result;
  intptr_t from = std::max<intptr_t>(next_ - kOutOfOrder, 0);
  std::string page;
  do {
    page = Taken(grpc_channelz_get_server_sockets(server_, from, 0));
    std::vector<Connection> more = ConnectionsIn(page);
    if (more.empty()) break;
    from = more.back().id + 1;
    std::move(more.begin(), more.end(), std::back_inserter(result));
  } while (!IsLastPage(page));
  next_ = std::max(next_, from);
  return result;
}

std::optional<int64_t> StreamsHeld(intptr_t connection) {
  const std::string json = Taken(grpc_channelz_get_socket(connection));
  if (json.empty()) return std::nullopt;
  return NumberIn(json, "streamsStarted") - NumberIn(json, "streamsSucceeded") - NumberIn(json, "streamsFailed");
}

int64_t NumberIn(absl::string_view object, absl::string_view name) {
  int64_t number = 0;
  return absl::SimpleAtoi(TextIn(object, name), &number) ? number : 0;
}

std::vector<Channelz::Connection> ConnectionsIn(absl::string_view page) {
  std::vector<Channelz::Connection> result;
  for (const absl::string_view object : ObjectsIn(page)) {
    const int64_t id = NumberIn(object, "socketId");
    if (id > 0) result.push_back({PeerInName(TextIn(object, "name")), id});
  }
  return result;
}

}  // namespace kith::rpc
