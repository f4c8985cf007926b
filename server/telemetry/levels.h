// What is looked at when somebody asks, instead of being counted on the way.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <vector>

#include "server/telemetry/experiment_series.h"

namespace kith::telemetry {

// How far a training or import is.
struct TrainingLevel {
  std::string experiment;
  std::string phase;
  int64_t done = 0;
  int64_t total = 0;  // 0 where it is not known
};

struct Levels {
  int64_t queue_rows = 0;  // waiting for a worker, or for their experiment to be loaded
  // Experiments by their state.
  int64_t training = 0;
  int64_t ready = 0;
  int64_t degraded = 0;
  int64_t failed = 0;
  int64_t resident = 0;  // in memory
  int64_t resident_bytes = 0;
  int64_t stored_rows = 0;
  int64_t memory_budget_bytes = 0;
  int64_t memory_reserved_bytes = 0;
  // Trainings, imports and tunings.
  int64_t jobs_running = 0;
  int64_t jobs_waiting = 0;
  std::vector<TrainingLevel> trainings;  // that run
  std::vector<ExperimentCounts> experiments;
  // Of the data folder and its file system.
  int64_t data_bytes = 0;
  int64_t disk_free_bytes = 0;
  int64_t disk_size_bytes = 0;
  // Of the process.
  double cpu_seconds = 0;
  double start_seconds = 0;  // since 1970
  int64_t process_bytes = 0;
  int64_t open_files = 0;
  int64_t most_open_files = 0;
  int64_t threads = 0;
};

// As Prometheus is told.
std::vector<prometheus::MetricFamily> FamiliesOf(const Levels& levels);

// A gauge that is always 1, with these labels.
prometheus::MetricFamily InfoFamily(const std::string& name, const std::string& help,
                                    std::vector<prometheus::ClientMetric::Label> labels);

}  // namespace kith::telemetry
