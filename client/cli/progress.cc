#include "client/cli/progress.h"

#include <algorithm>

namespace kith::cli {
namespace {

constexpr auto kQuiet = std::chrono::seconds(1);
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

Progress::Progress(std::ostream& terminal, bool enabled)
    : terminal_(terminal), enabled_(enabled), next_draw_(Clock::now() + kQuiet) {}

Progress::~Progress() {
  if (drawn_) terminal_ << kWipeLine << std::flush;
}

void Progress::Update(std::string_view label, int64_t done, int64_t total) {
  if (!enabled_) return;
  std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kInterval;
  drawn_ = true;
  terminal_ << kWipeLine << ProgressLine(label, done, total) << std::flush;
}

}  // namespace kith::cli
