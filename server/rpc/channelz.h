// What gRPC counts of each connection while it reads it, whether handlers come to run or not (its "channelz").
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace kith::rpc {

// As ServerContext::peer() tells of calls by this socket, but for the zone of an IPv6 address, which is left out. Empty
// where it has no address of the internet.
std::string PeerOf(int socket);

// Not thread-safe.
class Channelz {
 public:
  struct Connection {
    std::string peer;  // as PeerOf
    intptr_t id = 0;
  };

  // Of the server of this process that was made last.
  Channelz();

  // Those that have come since the last call; a few of them again.
  std::vector<Connection> NewConnections();

 private:
  intptr_t server_ = 0;
  intptr_t next_ = 0;  // id from which on connections are new
};

// Streams of a connection that gRPC holds: those that are open, and those that are closed and that a handler has not
// let go of yet. Nothing where the connection is gone.
std::optional<int64_t> StreamsHeld(intptr_t connection);

// Of gRPC's JSON: the number in `object` by this name; 0 where there is none, as the format wants it. Of several, the
// first.
int64_t NumberIn(absl::string_view object, absl::string_view name);
// One page of a server's connections.
std::vector<Channelz::Connection> ConnectionsIn(absl::string_view page);

}  // namespace kith::rpc
