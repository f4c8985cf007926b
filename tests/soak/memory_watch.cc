#include "tests/soak/memory_watch.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <utility>

namespace kith::soak {

int64_t ResidentBytes(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    int64_t kibibytes = 0;
    if (word == "VmRSS:" && status >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

MemoryWatch::~MemoryWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

int64_t MemoryWatch::TakePeak() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(peak_, 0);
}

void MemoryWatch::Watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  do {
    peak_ = std::max(peak_, ResidentBytes(pid_));
  } while (!stopped_.wait_for(lock, std::chrono::milliseconds(5), [this] { return stopping_; }));
}

}  // namespace kith::soak
