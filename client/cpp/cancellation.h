// Calls off running calls, from any thread (not from a signal handler).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "absl/time/time.h"

namespace kith {

// One token may serve any number of calls, one after the other or at once. Thread-safe. Must outlive the calls.
class Cancellation {
 public:
  // Ends every call that holds this token, now and later, with CANCELLED. Once is for good.
  void Cancel();
  bool cancelled() const;

  // Sleeps, unless it is cancelled before that. True when it was.
  bool WaitFor(absl::Duration duration) const;

  // Runs `action` when cancelled, at once if that was before. After Unregister(id) it runs no more and is not running.
  // The action must not use this token.
  int64_t Register(std::function<void()> action);
  void Unregister(int64_t id);

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool cancelled_ = false;
  int64_t next_id_ = 0;
  std::map<int64_t, std::function<void()>> actions_;
};

}  // namespace kith
