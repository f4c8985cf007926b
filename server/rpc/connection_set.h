// The connections that gRPC was given.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/known_socket.h"

namespace kith::rpc {

// gRPC closes them at a moment of its own and says nothing. Not thread-safe.
class ConnectionSet {
 public:
  struct Connection {
    KnownSocket socket;
    std::string peer;       // PeerOf the socket
    intptr_t id = 0;        // gRPC's; 0 until it is known
    int64_t looked_at = 0;  // bytes that had come by it when its streams were counted last
    bool ended = false;
  };

  // Of `most` at once. UNAVAILABLE where the process has no file descriptor left.
  static absl::StatusOr<ConnectionSet> Make(size_t most);
  ~ConnectionSet();
  ConnectionSet(ConnectionSet&& other) noexcept;
  ConnectionSet& operator=(ConnectionSet&&) = delete;

  // Whether there may be another one. Which of them are gone takes a look at each: while all places are taken, that is
  // done every 10 us for each place at most, and one that becomes free may be seen so much later.
  bool HasRoom(TimePoint now);

  void Add(int socket);

  // Those by which something has come since the last time. Costs nothing for the others. Good until HasRoom.
  std::vector<Connection*> Receiving();

  // Each, in the order of their coming.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& numbered : connections_) visit(&numbered.second);
  }

 private:
  ConnectionSet(size_t most, int events) : most_(most), events_(events) {}

  const size_t most_;
  int events_;  // an epoll, edge-triggered, that nobody waits for: nothing wakes up when something comes
  uint64_t next_ = 0;
  std::map<uint64_t, Connection> connections_;  // in the order of their coming, and not known to be gone
  TimePoint looked_for_room_ = {};
};

}  // namespace kith::rpc
