#include "client/cli/progress.h"

#include <algorithm>

namespace kith::cli {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr int kWidth = 40;
constexpr char kWipeLine[] = "\r\x1b[K";

}  // namespace

std::string ProgressLine(std::string_view label, int64_t done, int64_t total) {
  std::string line(label);
  line.resize(std::max<size_t>(line.size(), 12), ' ');
  if (total <= 0) return done > 0 ? line + " " + std::to_string(done) : line;
  const double part = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  std::string bar(static_cast<size_t>(part * kWidth), '=');
  bar.resize(kWidth, ' ');
  return line + " [" + bar + "] " + std::to_string(static_cast<int>(part * 100)) + "%";
}

Progress::Progress(std::ostream& terminal, bool enabled, std::string_view label, std::chrono::milliseconds quiet)
    : terminal_(terminal), start_(Clock::now()), label_(label) {
  if (enabled) thread_ = std::thread(&Progress::Run, this, quiet);
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Progress::Update(std::string_view label, int64_t done, int64_t total) {
  std::lock_guard lock(mutex_);
  label_ = label;
  done_ = done;
  total_ = total;
}

void Progress::Run(std::chrono::milliseconds quiet) {
  const auto is_over = [this] { return end_; };
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, quiet, is_over)) return;
  do {
    const std::string line = ProgressLine(label_, done_, total_);
    const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start_);
    lock.unlock();  // a terminal may be slow
    terminal_ << kWipeLine << line << "  " << elapsed.count() << " s" << std::flush;
    lock.lock();
  } while (!ended_.wait_for(lock, kInterval, is_over));
  terminal_ << kWipeLine << std::flush;
}

}  // namespace kith::cli
