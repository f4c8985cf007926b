// The limits as they are now: a reload changes them while calls come in.
#pragma once

#include <mutex>

#include "server/config/config.h"

namespace kith::config {

// Thread-safe.
class LiveLimits {
 public:
  explicit LiveLimits(const Limits& limits) : limits_(limits) {}

  Limits Get() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return limits_;
  }

  void Set(const Limits& limits) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limits_ = limits;
  }

 private:
  mutable std::mutex mutex_;
  Limits limits_;  // guarded by mutex_
};

}  // namespace kith::config
