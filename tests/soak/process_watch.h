// What a process takes of the machine, watched all the time.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace kith::soak {

struct Taken {
  int64_t memory = 0;  // resident, in bytes
  int64_t files = 0;   // open, sockets among them
  int64_t threads = 0;
};

// What it takes now.
Taken TakenBy(pid_t pid);

// Looks every few milliseconds from a thread of its own.
class ProcessWatch {
 public:
  explicit ProcessWatch(pid_t pid) : pid_(pid), thread_([this] { Watch(); }) {}
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  // The most of each that was seen since the last call.
  Taken TakePeaks();

 private:
  void Watch();

  const pid_t pid_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;  // guarded by mutex_
  Taken peaks_;            // guarded by mutex_
  std::thread thread_;
};

}  // namespace kith::soak
