// How many experiments there are.
#include <mutex>
#include <string>

#include "server/experiments/registry.h"

namespace kith::experiments {
namespace {

// So many are counted at a time: a search that needs the lock meanwhile waits for a few microseconds.
constexpr int kStep = 256;

}  // namespace

Counts Registry::Count() const {
  Counts counts;
  std::string counted;  // up to this name; no experiment has the empty one
  for (int step = kStep; step == kStep;) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto next = experiments_.upper_bound(counted);
    for (step = 0; step < kStep && next != experiments_.end(); ++step, ++next) {
      const Experiment& experiment = *next->second;
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
      if (experiment.resident != nullptr) ++counts.resident;
      if (step == kStep - 1) counted = next->first;
    }
  }
  return counts;
}

}  // namespace kith::experiments
