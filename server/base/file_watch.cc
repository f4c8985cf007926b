#include "server/base/file_watch.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace kith {

FileWatch::FileWatch(std::vector<std::string> paths, std::function<void()> on_change,
                     std::chrono::milliseconds interval)
    : paths_(std::move(paths)), on_change_(std::move(on_change)), seen_(Look()) {
  thread_ = std::thread([this, interval] { Watch(interval); });
}

FileWatch::~FileWatch() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void FileWatch::Watch(std::chrono::milliseconds interval) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopped_.wait_for(lock, interval, [this] { return stop_; })) {
    std::string now = Look();
    if (now == seen_) continue;
    seen_ = std::move(now);  // before they are read: a change meanwhile is another one
    lock.unlock();
    on_change_();
    lock.lock();
  }
}

std::string FileWatch::Look() const {
  std::string all;
  for (const std::string& path : paths_) {
    struct stat file {};
    if (stat(path.c_str(), &file) != 0) {
      absl::StrAppend(&all, "-;");
      continue;
    }
    absl::StrAppend(&all, file.st_dev, " ", file.st_ino, " ", file.st_size, " ", file.st_mtim.tv_sec, " ",
                    file.st_mtim.tv_nsec, " ", file.st_ctim.tv_sec, " ", file.st_ctim.tv_nsec, ";");
  }
  return all;
}

}  // namespace kith
