#include "tests/soak/process_watch.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace kith::soak {
namespace {

int64_t CountOpenFiles(const std::string& process) {
  std::error_code gone;  // the process, or a file between two looks
  const std::filesystem::directory_iterator files(process + "/fd", gone);
  return gone ? 0 : std::distance(begin(files), end(files));
}

}  // namespace

Taken TakenBy(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  Taken taken;
  taken.files = CountOpenFiles(process);
  std::ifstream status(process + "/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:" && status >> taken.memory) taken.memory *= 1024;
    if (word == "Threads:") status >> taken.threads;
  }
  return taken;
}

ProcessWatch::~ProcessWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

Taken ProcessWatch::TakePeaks() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(peaks_, {});
}

void ProcessWatch::Watch() {
  std::unique_lock<std::mutex> lock(mutex_);
  do {
    const Taken now = TakenBy(pid_);
    peaks_.memory = std::max(peaks_.memory, now.memory);
    peaks_.files = std::max(peaks_.files, now.files);
    peaks_.threads = std::max(peaks_.threads, now.threads);
  } while (!stopped_.wait_for(lock, std::chrono::milliseconds(5), [this] { return stopping_; }));
}

}  // namespace kith::soak
