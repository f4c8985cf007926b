#include "server/app/observe.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "server/config/listen.h"

namespace kith::app {

namespace {

// The data folder may have very many files: looking at them is to take no more than a fiftieth of anyone's time.
constexpr std::chrono::seconds kLeastDiskPause(10);
constexpr int kDiskPauseTimes = 50;

std::vector<telemetry::ExperimentCounts> CountsOf(std::vector<experiments::TrafficReading> readings) {
  std::vector<telemetry::ExperimentCounts> counts;
  counts.reserve(readings.size());
  for (experiments::TrafficReading& reading : readings) {
    counts.push_back({std::move(reading.experiment), reading.blocks, reading.rows, reading.nanoseconds, reading.late,
                      reading.refused});
  }
  return counts;
}

void LookAtProcess(telemetry::Levels* levels) {
  const ProcessUsage process = UsageOfProcess();
  levels->cpu_seconds = process.cpu_seconds;
  levels->process_bytes = process.resident_bytes;
  levels->open_files = process.open_files;
  levels->most_open_files = process.most_open_files;
  levels->threads = process.threads;
}

}  // namespace

telemetry::Levels Observer::Look() {
  const experiments::Counts counts = observed_.registry->Count();
  telemetry::Levels levels;
  levels.queue_rows = observed_.engine->waiting_rows();
  levels.training = counts.training;
  levels.ready = counts.ready;
  levels.degraded = counts.degraded;
  levels.failed = counts.failed;
  levels.resident = counts.resident;
  levels.resident_bytes = counts.resident_bytes;
  levels.stored_rows = counts.rows;
  levels.memory_budget_bytes = observed_.budget->limit();
  levels.memory_reserved_bytes = observed_.budget->used();
  levels.experiments = series_.Update([&] { return CountsOf(observed_.registry->ReadTraffic()); }, Clock::now());
  levels.start_seconds = static_cast<double>(absl::ToUnixMillis(observed_.started)) / 1000;
  LookAtTrainings(&levels);
  LookAtDisk(&levels);
  LookAtProcess(&levels);
  return levels;
}

void Observer::LookAtTrainings(telemetry::Levels* levels) const {
  for (const experiments::TrainingProgress& progress : observed_.trainer->Progress()) {
    ++(progress.running ? levels->jobs_running : levels->jobs_waiting);
    const bool shown = progress.running && !progress.experiment.empty() &&
                       static_cast<int>(levels->trainings.size()) < most_experiments_;
    if (!shown) continue;
    levels->trainings.push_back(
        {progress.experiment, experiments::PhaseName(progress.phase), progress.done, progress.total});
  }
}

void Observer::LookAtDisk(telemetry::Levels* levels) {
  std::unique_lock<std::mutex> lock(disk_mutex_);
  const TimePoint start = Clock::now();
  if (start >= disk_due_) {
    disk_due_ = TimePoint::max();  // a slow disk keeps one thread waiting; the others tell of the last look
    lock.unlock();
    const DiskUsage disk = UsageOfDisk(observed_.data_dir);
    const TimePoint end = Clock::now();
    lock.lock();
    disk_ = disk;
    disk_due_ = end + std::max<Clock::duration>(kLeastDiskPause, kDiskPauseTimes * (end - start));
  }
  levels->data_bytes = disk_.folder_bytes;
  levels->disk_free_bytes = disk_.free_bytes;
  levels->disk_size_bytes = disk_.size_bytes;
}

absl::StatusOr<std::unique_ptr<http::Server>> ServeHttp(const std::string& listen, http::Pages pages,
                                                        const http::Security& security) {
  if (listen.empty()) return nullptr;
  const auto address = config::ParseListen(listen);
  if (!address.ok()) return address.status();
  auto server = http::Server::Start(address->host, address->port, std::move(pages), {}, security);
  if (!server.ok()) return server.status();
  spdlog::info("metrics on {}://{}:{}/metrics", security.tls == nullptr ? "http" : "https",
               listen.substr(0, listen.rfind(':')), (*server)->port());
  if (!config::IsLoopback(*address) && security.tokens == nullptr) {
    spdlog::warn(
        "http.listen: {} can be reached from other machines; whoever reaches it can read the metrics and the names of "
        "the voices",
        listen);
  }
  return server;
}

}  // namespace kith::app
