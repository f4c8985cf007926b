// The streams that are open: how many there may be, and how they are ended.
#pragma once

#include <cstddef>
#include <mutex>
#include <unordered_set>

#include "absl/status/status.h"

namespace kith::rpc {

class Drainable {
 public:
  virtual ~Drainable() = default;
  // Ends the stream once what it has begun is done. Does not wait for it.
  virtual void Drain() = 0;
};

// Thread-safe.
class StreamSet {
 public:
  explicit StreamSet(int most) : most_(static_cast<size_t>(most)) {}

  // OVERLOADED where there are too many; SHUTTING_DOWN after DrainAll. After an OK, Leave has to follow.
  absl::Status Enter(Drainable* stream);
  void Leave(Drainable* stream);

  // Drains those that are open; no more are let in.
  void DrainAll();

 private:
  const size_t most_;
  std::mutex mutex_;
  bool draining_ = false;                   // guarded by mutex_
  std::unordered_set<Drainable*> streams_;  // guarded by mutex_
};

}  // namespace kith::rpc
