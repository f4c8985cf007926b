// What kithd shows of itself over HTTP.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/process_usage.h"
#include "server/engine/engine.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/http/server.h"
#include "server/telemetry/experiment_series.h"
#include "server/telemetry/metrics.h"

namespace kith::app {

// What is looked at. All outlives who looks.
struct Observed {
  const engine::Engine* engine;
  const experiments::Registry* registry;
  const experiments::Trainer* trainer;
  const experiments::MemoryBudget* budget;
  std::string data_dir;
  absl::Time started;
};

// Looks at how things stand. Thread-safe.
class Observer {
 public:
  // `experiments`: so many may have series of their own.
  Observer(Observed observed, int experiments)
      : observed_(std::move(observed)), most_experiments_(experiments), series_(static_cast<size_t>(experiments)) {}

  telemetry::Levels Look();

 private:
  void LookAtTrainings(telemetry::Levels* levels) const;
  void LookAtDisk(telemetry::Levels* levels);

  const Observed observed_;
  const int most_experiments_;
  telemetry::ExperimentSeries series_;
  std::mutex disk_mutex_;
  DiskUsage disk_;           // guarded by disk_mutex_
  TimePoint disk_due_ = {};  // guarded by disk_mutex_: when it is to be looked at again
};

// Shows the pages on `listen`, http.listen of the configuration, and logs where; nothing and null where that is empty.
// UNAVAILABLE where the address cannot be had.
absl::StatusOr<std::unique_ptr<http::Server>> ServeHttp(const std::string& listen, http::Pages pages,
                                                        const http::Security& security);

}  // namespace kith::app
