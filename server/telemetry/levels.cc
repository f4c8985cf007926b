#include "server/telemetry/levels.h"

#include <utility>

namespace kith::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

struct Value {
  Labels labels;
  double value = 0;
};

template <typename Number>
double Of(Number number) {
  return static_cast<double>(number);
}

MetricFamily Family(const std::string& name, const std::string& help, MetricType type,
                    const std::vector<Value>& values) {
  MetricFamily family{name, help, type, {}};
  for (const Value& value : values) {
    ClientMetric metric;
    metric.label = value.labels;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value.value;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

MetricFamily Gauge(const std::string& name, const std::string& help, double value) {
  return Family(name, help, MetricType::Gauge, {{{}, value}});
}

void AddServer(const Levels& levels, std::vector<MetricFamily>* families) {
  families->push_back(Gauge("kith_queue_rows", "Rows that wait for a worker, or for their experiment to be loaded.",
                            Of(levels.queue_rows)));
  families->push_back(Family("kith_experiments", "Experiments by state.", MetricType::Gauge,
                             {{{{"state", "training"}}, Of(levels.training)},
                              {{{"state", "ready"}}, Of(levels.ready)},
                              {{{"state", "degraded"}}, Of(levels.degraded)},
                              {{{"state", "failed"}}, Of(levels.failed)}}));
  families->push_back(Gauge("kith_resident_experiments", "Experiments in memory.", Of(levels.resident)));
  families->push_back(
      Gauge("kith_resident_bytes", "Memory that the experiments in memory take.", Of(levels.resident_bytes)));
  families->push_back(
      Gauge("kith_stored_rows", "Rows stored in all experiments' current generations.", Of(levels.stored_rows)));
  families->push_back(Gauge("kith_memory_budget_bytes",
                            "The budget of memory for voices, trainings, imports and uploads.",
                            Of(levels.memory_budget_bytes)));
  families->push_back(
      Gauge("kith_memory_reserved_bytes", "What is taken of the budget.", Of(levels.memory_reserved_bytes)));
  families->push_back(Gauge("kith_data_bytes", "What the data folder takes of its disk.", Of(levels.data_bytes)));
  families->push_back(
      Gauge("kith_disk_free_bytes", "Room on the data folder's file system.", Of(levels.disk_free_bytes)));
  families->push_back(
      Gauge("kith_disk_size_bytes", "Size of the data folder's file system.", Of(levels.disk_size_bytes)));
}

void AddTrainings(const Levels& levels, std::vector<MetricFamily>* families) {
  families->push_back(
      Family("kith_training_jobs", "Trainings, imports and tunings.", MetricType::Gauge,
             {{{{"state", "running"}}, Of(levels.jobs_running)}, {{{"state", "waiting"}}, Of(levels.jobs_waiting)}}));
  std::vector<Value> progress;
  for (const TrainingLevel& training : levels.trainings) {
    const double ratio = training.total > 0 ? Of(training.done) / Of(training.total) : 0;
    progress.push_back({{{"experiment", training.experiment}, {"phase", training.phase}}, ratio});
  }
  families->push_back(Family("kith_training_progress_ratio", "How much of its phase a running training has done.",
                             MetricType::Gauge, progress));
}

void AddExperiments(const Levels& levels, std::vector<MetricFamily>* families) {
  const auto add = [&](const std::string& name, const std::string& help, auto value) {
    std::vector<Value> values;
    for (const ExperimentCounts& counts : levels.experiments) {
      values.push_back({{{"experiment", counts.experiment}}, value(counts)});
    }
    families->push_back(Family(name, help, MetricType::Counter, values));
  };
  constexpr double kNano = 1e-9;
  add("kith_experiment_blocks_total", "Blocks answered with a result, by experiment.",
      [](const ExperimentCounts& counts) { return Of(counts.blocks); });
  add("kith_experiment_rows_total", "Rows in those blocks, by experiment.",
      [](const ExperimentCounts& counts) { return Of(counts.rows); });
  add("kith_experiment_block_seconds_total", "Time that those blocks took, by experiment.",
      [](const ExperimentCounts& counts) { return kNano * Of(counts.nanoseconds); });
  add("kith_experiment_late_blocks_total", "Blocks whose time was over before they were computed, by experiment.",
      [](const ExperimentCounts& counts) { return Of(counts.late); });
  add("kith_experiment_refused_blocks_total",
      "Blocks that there was no room for, or that were beyond a limit, by experiment.",
      [](const ExperimentCounts& counts) { return Of(counts.refused); });
}

// The names that Prometheus' own clients give to what every process has.
void AddProcess(const Levels& levels, std::vector<MetricFamily>* families) {
  families->push_back(Family("process_cpu_seconds_total", "Processor time of the process, user and system.",
                             MetricType::Counter, {{{}, levels.cpu_seconds}}));
  families->push_back(
      Gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", Of(levels.process_bytes)));
  families->push_back(Gauge("process_open_fds", "Open file descriptors.", Of(levels.open_files)));
  families->push_back(Gauge("process_max_fds", "File descriptors that may be open.", Of(levels.most_open_files)));
  families->push_back(Gauge("process_threads", "Threads of the process.", Of(levels.threads)));
  families->push_back(
      Gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", levels.start_seconds));
}

}  // namespace

std::vector<MetricFamily> FamiliesOf(const Levels& levels) {
  std::vector<MetricFamily> families;
  AddServer(levels, &families);
  AddTrainings(levels, &families);
  AddExperiments(levels, &families);
  AddProcess(levels, &families);
  return families;
}

MetricFamily InfoFamily(const std::string& name, const std::string& help, Labels labels) {
  return Family(name, help, MetricType::Gauge, {{std::move(labels), 1}});
}

}  // namespace kith::telemetry
