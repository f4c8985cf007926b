#include "server/rpc/flood_watch.h"

#include <chrono>
#include <string>
#include <unordered_map>

#include "server/base/memory.h"
#include "server/telemetry/call_log.h"

namespace kith::rpc {
namespace {

constexpr std::chrono::milliseconds kLook(50);
constexpr std::chrono::seconds kBetweenLines(1);
constexpr std::chrono::seconds kUntilStreamsAreGone(2);

// Bytes that a connection is not looked at for: less than a 16-row block of 768 values, or about a thousand streams
// that are opened and reset, at 28 bytes each.
constexpr int64_t kFewBytes = 32 << 10;

// That gRPC may hold of a connection besides those that may be open: clients break off what they no longer want, or
// what is too late for them, and it takes a moment until a handler knows.
constexpr int kStreamsBrokenOff = 2000;

}  // namespace

absl::StatusOr<std::unique_ptr<FloodWatch>> FloodWatch::Make(size_t most_connections, int streams,
                                                             std::shared_ptr<telemetry::Metrics> metrics) {
  auto connections = ConnectionSet::Make(most_connections);
  if (!connections.ok()) return connections.status();
  return std::unique_ptr<FloodWatch>(new FloodWatch(*std::move(connections), streams, std::move(metrics)));
}

FloodWatch::~FloodWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (watch_.joinable()) watch_.join();
}

void FloodWatch::Start() {
  channelz_.emplace();
  watch_ = std::thread([this] {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!changed_.wait_for(lock, kLook, [this] { return stopping_; })) Look(Clock::now());
  });
}

bool FloodWatch::HasRoom() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return connections_.HasRoom(Clock::now());
}

void FloodWatch::Add(int socket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  connections_.Add(socket);
}

void FloodWatch::FinishAll(std::chrono::milliseconds patience) {
  constexpr std::chrono::milliseconds kBetweenLooks(1);  // the kernel tells nobody when its send buffers are empty
  const TimePoint end = Clock::now() + patience;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!AllHasArrived() && Clock::now() < end) changed_.wait_for(lock, kBetweenLooks);
  connections_.ForEach([](ConnectionSet::Connection* connection) { connection->socket.Finish(); });
}

bool FloodWatch::AllHasArrived() {
  int64_t under_way = 0;
  connections_.ForEach([&](ConnectionSet::Connection* connection) { under_way += connection->socket.BytesUnderWay(); });
  return under_way == 0;
}

void FloodWatch::Look(TimePoint now) {
  for (ConnectionSet::Connection* connection : connections_.Receiving()) {
    if (connection->ended || !IsFlooding(connection) || !connection->socket.Break()) continue;
    connection->ended = true;  // though gRPC takes a while to close it
    last_ended_ = now;
    metrics_->CountFloodingConnection();
    Tell(connection->peer, now);
  }
  if (last_ended_ && now > *last_ended_ + kUntilStreamsAreGone) {
    last_ended_.reset();
    ReturnFreedMemory();  // the allocator would keep it
  }
}

bool FloodWatch::IsFlooding(ConnectionSet::Connection* connection) {
  const int64_t bytes = connection->socket.BytesReceived();
  if (bytes < connection->looked_at + kFewBytes) return false;
  if (connection->id == 0) LearnIds();
  const auto held = StreamsHeld(connection->id);
  if (!held) return false;
  connection->looked_at = bytes;
  return *held > streams_ + kStreamsBrokenOff;
}

void FloodWatch::LearnIds() {
  std::unordered_map<std::string, ConnectionSet::Connection*> by_peer;
  connections_.ForEach([&](ConnectionSet::Connection* connection) {
    if (connection->id == 0) by_peer[connection->peer] = connection;  // the newest: an older one has gone
  });
  for (const Channelz::Connection& found : channelz_->NewConnections()) {
    const auto at = by_peer.find(found.peer);
    if (at != by_peer.end()) at->second->id = found.id;
  }
}

void FloodWatch::Tell(const std::string& peer, TimePoint now) {
  if (now < told_ + kBetweenLines) {
    ++not_told_;
    return;
  }
  told_ = now;
  telemetry::LogFloodingConnection(peer, std::exchange(not_told_, 0));
}

}  // namespace kith::rpc
