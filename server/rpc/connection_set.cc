#include "server/rpc/connection_set.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/rpc/channelz.h"

namespace kith::rpc {
namespace {

// For each connection between two looks at all of them: twenty times as long as one takes, so that a flood of
// connections that are to be refused does not keep a core busy with looking.
constexpr std::chrono::microseconds kBetweenLooks(10);

}  // namespace

absl::StatusOr<ConnectionSet> ConnectionSet::Make(size_t most) {
  const int events = epoll_create1(EPOLL_CLOEXEC);
  if (events >= 0) return ConnectionSet(most, events);
  return Error(absl::StatusCode::kUnavailable, Reason::kInternal,
               absl::StrCat("cannot watch connections: ", std::strerror(errno)));
}

ConnectionSet::~ConnectionSet() {
  if (events_ >= 0) close(events_);
}

ConnectionSet::ConnectionSet(ConnectionSet&& other) noexcept
    : most_(other.most_), events_(std::exchange(other.events_, -1)), connections_(std::move(other.connections_)) {}

bool ConnectionSet::HasRoom(TimePoint now) {
  if (connections_.size() < most_) return true;
  if (now < looked_for_room_ + kBetweenLooks * most_) return false;
  looked_for_room_ = now;
  for (auto it = connections_.begin(); it != connections_.end();) {
    it = it->second.socket.IsOpen() ? std::next(it) : connections_.erase(it);
  }
  return connections_.size() < most_;
}

void ConnectionSet::Add(int socket) {
  connections_.emplace(++next_, Connection{KnownSocket(socket), PeerOf(socket)});
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = next_;
  // Ends by itself with the connection. One that the kernel has no memory to watch is served all the same.
  epoll_ctl(events_, EPOLL_CTL_ADD, socket, &event);
}

std::vector<ConnectionSet::Connection*> ConnectionSet::Receiving() {
  std::vector<Connection*> result;
  std::array<epoll_event, 256> events{};
  int count = 0;
  do {
    count = epoll_wait(events_, events.data(), static_cast<int>(events.size()), /*timeout=*/0);
    for (int i = 0; i < count; ++i) {
      const auto found = connections_.find(events[static_cast<size_t>(i)].data.u64);
      if (found != connections_.end()) result.push_back(&found->second);
    }
  } while (count == static_cast<int>(events.size()) && result.size() < most_);
  return result;
}

}  // namespace kith::rpc
