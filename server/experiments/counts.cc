// What can be said of all experiments together.
#include <mutex>
#include <string>

#include "server/experiments/registry.h"

namespace kith::experiments {
namespace {

// So many are looked at at a time: a search that needs the lock meanwhile waits for a few microseconds.
constexpr int kStep = 256;

}  // namespace

template <typename Visit>
void Registry::VisitAll(const Visit& visit) const {
  std::string visited;  // up to this name; no experiment has the empty one
  for (int step = kStep; step == kStep;) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto next = experiments_.upper_bound(visited);
    for (step = 0; step < kStep && next != experiments_.end(); ++step, ++next) {
      visit(*next->second);
      if (step == kStep - 1) visited = next->first;
    }
  }
}

Counts Registry::Count() const {
  Counts counts;
  VisitAll([&](const Experiment& experiment) {
    switch (StateOf(experiment)) {
      case State::kTraining:
        ++counts.training;
        break;
      case State::kReady:
        ++counts.ready;
        break;
      case State::kDegraded:
        ++counts.degraded;
        break;
      case State::kFailed:
        ++counts.failed;
        break;
    }
    counts.rows += experiment.record.total_rows;
    if (experiment.resident == nullptr) return;
    ++counts.resident;
    counts.resident_bytes += experiment.resident->memory.bytes();
  });
  return counts;
}

std::vector<TrafficReading> Registry::ReadTraffic() const {
  std::vector<TrafficReading> readings;
  VisitAll([&](const Experiment& experiment) {
    const auto read = [](const std::atomic<int64_t>& count) { return count.load(std::memory_order_relaxed); };
    const Traffic& traffic = *experiment.traffic;
    TrafficReading reading{"",
                           read(traffic.blocks),
                           read(traffic.rows),
                           read(traffic.nanoseconds),
                           read(traffic.late),
                           read(traffic.refused)};
    if (reading.blocks + reading.late + reading.refused == 0) return;
    reading.experiment = experiment.name;
    readings.push_back(std::move(reading));
  });
  return readings;
}

std::shared_ptr<Traffic> Registry::TrafficOf(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = experiments_.find(name);
  return found == experiments_.end() ? nullptr : found->second->traffic;
}

}  // namespace kith::experiments
