// Keeps count of clients' connections, and ends those by which streams are opened and reset without end.
//
// gRPC 1.51 takes 10 to 20 kB for each of those until a handler has seen it, and a thread that reads a connection runs
// no handler as long as there is more to read: then gRPC holds many more streams than may be open at once. No handler
// can tell, but gRPC's channelz counts them as they are read. This looks at it 20 times a second for the connections by
// which much has come.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/rpc/channelz.h"
#include "server/rpc/connection_set.h"
#include "server/telemetry/metrics.h"

namespace kith::rpc {

// Thread-safe.
class FloodWatch {
 public:
  // `streams`: that a connection may have open at once. UNAVAILABLE where the process has no file descriptor left.
  static absl::StatusOr<std::unique_ptr<FloodWatch>> Make(size_t most_connections, int streams,
                                                          std::shared_ptr<telemetry::Metrics> metrics);
  ~FloodWatch();
  FloodWatch(const FloodWatch&) = delete;
  FloodWatch& operator=(const FloodWatch&) = delete;

  // The server has been made, and no other of this process since.
  void Start();

  // As ConnectionSet's.
  bool HasRoom();
  // Before gRPC gets it.
  void Add(int socket);

  // Ends all that there are, in good order: once what was sent by them has arrived, for which it waits for `patience`
  // at most. Who closes a socket by which something comes meanwhile takes back what has not arrived.
  void FinishAll(std::chrono::milliseconds patience);

 private:
  FloodWatch(ConnectionSet connections, int streams, std::shared_ptr<telemetry::Metrics> metrics)
      : streams_(streams), metrics_(std::move(metrics)), connections_(std::move(connections)) {}

  // With mutex_ held, as the next four.
  void Look(TimePoint now);
  bool IsFlooding(ConnectionSet::Connection* connection);
  void LearnIds();
  void Tell(const std::string& peer, TimePoint now);
  bool AllHasArrived();

  const int streams_;
  const std::shared_ptr<telemetry::Metrics> metrics_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // this and what follows is guarded by mutex_
  ConnectionSet connections_;
  std::optional<Channelz> channelz_;
  std::optional<TimePoint> last_ended_;  // whose memory is not given back yet
  TimePoint told_ = {};
  int64_t not_told_ = 0;
  std::thread watch_;
};

}  // namespace kith::rpc
