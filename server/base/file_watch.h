// Tells when files change, by looking at them now and then: that works in every container and on every file system,
// through symbolic links too (which is how Kubernetes replaces a mounted secret).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kith {

// Thread-safe.
class FileWatch {
 public:
  static constexpr std::chrono::milliseconds kInterval{1000};

  // Calls `on_change` from a thread of its own each time when one or more of the files are found to be other files, of
  // another size, changed at another time, gone, or back. What is there now is no change, if it is what `on_change`'s
  // owner has read since.
  FileWatch(std::vector<std::string> paths, std::function<void()> on_change,
            std::chrono::milliseconds interval = kInterval);
  // Waits for an `on_change` that runs.
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void Watch(std::chrono::milliseconds interval);
  std::string Look() const;

  const std::vector<std::string> paths_;
  const std::function<void()> on_change_;
  std::string seen_;  // the watching thread's, once it runs
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace kith
