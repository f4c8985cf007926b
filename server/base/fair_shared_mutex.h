// A shared mutex under which nobody starves.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace kith {

// As std::shared_mutex, but whoever waits for it alone comes before those who come later to share it. glibc's lets the
// sharers in for as long as one of them is there. For std::lock_guard and std::shared_lock; thread-safe.
class FairSharedMutex {
 public:
  void lock() {
    const std::lock_guard<std::mutex> turn(turn_);
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }

  void lock_shared() {
    const std::lock_guard<std::mutex> turn(turn_);
    mutex_.lock_shared();
  }
  // False also while somebody waits for it alone.
  bool try_lock_shared() {
    const std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    return turn.owns_lock() && mutex_.try_lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::mutex turn_;  // held by whoever is the next to get mutex_
  std::shared_mutex mutex_;
};

}  // namespace kith
