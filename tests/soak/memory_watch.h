// How much memory a process has, watched all the time.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace kith::soak {

// Bytes that it has in memory now.
int64_t ResidentBytes(pid_t pid);

// Looks every few milliseconds from a thread of its own.
class MemoryWatch {
 public:
  explicit MemoryWatch(pid_t pid) : pid_(pid), thread_([this] { Watch(); }) {}
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  // The most that was seen since the last call.
  int64_t TakePeak();

 private:
  void Watch();

  const pid_t pid_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_
  int64_t peak_ = 0;       // guarded by mutex_
  std::thread thread_;
};

}  // namespace kith::soak
