// The calls of a kind that last as long as their clients like, streams or tunings: how many may be open, and how they
// are ended.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"

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
  // `what` they are, for messages.
  explicit StreamSet(int most, std::string what = "streams")
      : most_(static_cast<size_t>(most)), what_(std::move(what)) {}

  // OVERLOADED where there are too many; SHUTTING_DOWN after DrainAll. After an OK, Leave has to follow.
  absl::Status Enter(Drainable* stream);
  void Leave(Drainable* stream);

  // Drains those that are open; no more are let in.
  void DrainAll();

 private:
  const size_t most_;
  const std::string what_;
  std::mutex mutex_;
  bool draining_ = false;                   // guarded by mutex_
  std::unordered_set<Drainable*> streams_;  // guarded by mutex_
};

}  // namespace kith::rpc
