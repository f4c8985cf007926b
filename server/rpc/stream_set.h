// The calls of a kind that last as long as their clients like, streams or tunings: how many may be open, and how they
// are ended.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "server/config/live_limits.h"

namespace kith::rpc {

class Drainable {
 public:
  virtual ~Drainable() = default;
  // Ends the call: a stream once what it has begun is done, a tuning at once. Does not wait for it.
  virtual void Drain() = 0;
};

// Thread-safe.
class StreamSet {
 public:
  // At most limits.streams of them, as that is when one comes. `what` they are, for messages. The limits have to
  // outlive this.
  explicit StreamSet(const config::LiveLimits* limits, std::string what = "streams")
      : limits_(limits), what_(std::move(what)) {}

  // OVERLOADED where there are too many; SHUTTING_DOWN after DrainAll. After an OK, Leave has to follow.
  absl::Status Enter(Drainable* stream);
  void Leave(Drainable* stream);

  // Drains those that are open; no more are let in.
  void DrainAll();

 private:
  const config::LiveLimits* const limits_;
  const std::string what_;
  std::mutex mutex_;
  bool draining_ = false;                   // guarded by mutex_
  std::unordered_set<Drainable*> streams_;  // guarded by mutex_
};

}  // namespace kith::rpc
