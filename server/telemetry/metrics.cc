#include "server/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string_view>
#include <utility>

#include "server/base/status.h"

namespace kith::telemetry {
namespace {

using prometheus::ClientMetric;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Histogram;
using prometheus::MetricFamily;
using prometheus::Registry;

using Counters = Family<Counter>;

// From a microsecond to ten seconds, six a decade: fine enough to tell a percentile to within a half.
std::vector<double> SecondsBounds() {
  std::vector<double> bounds;
  for (const double decade : {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    for (const double step : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) bounds.push_back(decade * step);
  }
  bounds.push_back(10);
  return bounds;
}

std::vector<double> RowsBounds() {
  return {1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 384, 512, 1024, 2048, 4096, 8192, 65536};
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

Counters& AddCounters(Registry* registry, const std::string& name, const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry);
}

// A histogram without labels, which keeps its name for whoever reads it otherwise than by Prometheus.
struct NamedHistogram {
  NamedHistogram(Registry* registry, std::string name_in, const std::string& help, std::vector<double> bounds_in)
      : name(std::move(name_in)),
        bounds(std::move(bounds_in)),
        histogram(prometheus::BuildHistogram().Name(name).Help(help).Register(*registry).Add({}, bounds)) {}

  const std::string name;
  const std::vector<double> bounds;
  Histogram& histogram;
};

HistogramReading Read(const NamedHistogram& named) {
  const ClientMetric::Histogram collected = named.histogram.Collect().histogram;
  HistogramReading reading;
  reading.name = named.name;
  reading.bounds = named.bounds;
  reading.sum = collected.sample_sum;
  reading.count = collected.sample_count;
  uint64_t before = 0;
  for (const ClientMetric::Bucket& bucket : collected.bucket) {
    reading.counts.push_back(bucket.cumulative_count - before);
    before = bucket.cumulative_count;
  }
  return reading;
}

// Counters by call and status code. A series begins with the first that it counts, so that most never do.
class CodeCounters {
 public:
  explicit CodeCounters(Counters* family) : family_(family) {}

  void Count(Rpc rpc, absl::StatusCode code, int64_t by = 1) {
    const auto known = static_cast<size_t>(code) < kCodes ? code : absl::StatusCode::kUnknown;
    std::atomic<Counter*>& place = counters_[static_cast<size_t>(rpc)][static_cast<size_t>(known)];
    Counter* counter = place.load(std::memory_order_acquire);
    if (counter == nullptr) {
      counter = &family_->Add({{"rpc", std::string(RpcName(rpc))}, {"code", absl::StatusCodeToString(known)}});
      place.store(counter, std::memory_order_release);
    }
    counter->Increment(static_cast<double>(by));
  }

 private:
  static constexpr size_t kCodes = 17;  // OK to UNAUTHENTICATED

  Counters* const family_;
  std::array<std::array<std::atomic<Counter*>, kCodes>, kRpcs> counters_ = {};
};

// Counters of things that end well, are cancelled, or fail.
class Ends {
 public:
  Ends(Registry* registry, const std::string& name, const std::string& help)
      : Ends(AddCounters(registry, name, help)) {}

  void Count(const absl::Status& status) {
    if (status.ok()) {
      ok_.Increment();
    } else if (const std::string reason = ReasonOf(status);
               reason == ReasonName(Reason::kCancelled) || reason == ReasonName(Reason::kShuttingDown)) {
      cancelled_.Increment();
    } else {
      failed_.Increment();
    }
  }

 private:
  explicit Ends(Counters& family)
      : ok_(family.Add({{"outcome", "ok"}})),
        cancelled_(family.Add({{"outcome", "cancelled"}})),
        failed_(family.Add({{"outcome", "failed"}})) {}

  Counter& ok_;
  Counter& cancelled_;
  Counter& failed_;
};

MetricFamily InfoOf(const BuildInfo& build) {
  return InfoFamily("kith_build_info", "What runs here; always 1.",
                    {{"version", build.version}, {"faiss", build.faiss}, {"instruction_set", build.instruction_set}});
}

}  // namespace

struct Metrics::Series {
  explicit Series(const BuildInfo& build) : info(InfoOf(build)) {}

  Counter& Refused(Reason reason) { return refused.Add({{"reason", std::string(ReasonName(reason))}}); }

  const MetricFamily info;
  Registry registry;
  CodeCounters calls{&AddCounters(&registry, "kith_requests_total", "Calls that have ended.")};
  CodeCounters stream_blocks{
      &AddCounters(&registry, "kith_stream_blocks_total", "Blocks of streams that have been answered.")};
  CodeCounters rows{&AddCounters(&registry, "kith_rows_total", "Rows sent to be searched, added, or trained on.")};
  NamedHistogram queue{&registry, "kith_block_queue_seconds",
                       "Time of a block in the queue, until a worker took its first rows.", SecondsBounds()};
  NamedHistogram batch{&registry, "kith_batch_rows", "Rows searched together.", RowsBounds()};
  NamedHistogram compute{&registry, "kith_block_compute_seconds",
                         "Time from the queue until a block was searched and blended, with all that was in its batch.",
                         SecondsBounds()};
  NamedHistogram serialize{&registry, "kith_block_serialize_seconds",
                           "Time from the end of computing until gRPC had the answer.", SecondsBounds()};
  NamedHistogram total{&registry, "kith_block_seconds", "Time from the arrival of a block until gRPC had the answer.",
                       SecondsBounds()};
  Counter& late =
      AddCounters(&registry, "kith_late_blocks_total", "Blocks whose time was over before they were computed.").Add({});
  Counters& refused = AddCounters(&registry, "kith_refused_blocks_total",
                                  "Blocks that there was no room for, or that were beyond a limit.");
  Counter& refused_overloaded = Refused(Reason::kOverloaded);
  Counter& refused_memory = Refused(Reason::kMemoryBudget);
  Counter& refused_rate = Refused(Reason::kRateLimited);
  Counters& loads = AddCounters(&registry, "kith_loads_total", "Attempts to load an experiment into memory.");
  Counter& loads_ok = loads.Add({{"outcome", "ok"}});
  Counter& loads_degraded = loads.Add({{"outcome", "degraded"}});
  Counter& loads_failed = loads.Add({{"outcome", "failed"}});
  Counter& evictions =
      AddCounters(&registry, "kith_evictions_total", "Experiments let go of to make room for others.").Add({});
  Counter& floods = AddCounters(&registry, "kith_flooding_connections_total",
                                "Connections that were ended because they only opened and reset streams.")
                        .Add({});
  Ends trainings{&registry, "kith_trainings_total", "Trainings that have ended."};
  Ends imports{&registry, "kith_imports_total", "Imports that have ended."};
  Ends folds{&registry, "kith_folds_total", "Foldings of additions into a snapshot that have ended."};
};

Metrics::Metrics(const BuildInfo& build) : series_(std::make_unique<Series>(build)) {}
Metrics::~Metrics() = default;

void Metrics::CountCall(Rpc rpc, absl::StatusCode code) { series_->calls.Count(rpc, code); }

void Metrics::CountStreamBlock(Rpc rpc, absl::StatusCode code) { series_->stream_blocks.Count(rpc, code); }

void Metrics::CountRows(Rpc rpc, absl::StatusCode code, int64_t rows) {
  if (rows > 0) series_->rows.Count(rpc, code, rows);
}

void Metrics::ObserveBatch(int64_t rows) { series_->batch.histogram.Observe(static_cast<double>(rows)); }

void Metrics::ObserveBlock(const BlockTimes& times) {
  series_->queue.histogram.Observe(Seconds(times.queue));
  series_->compute.histogram.Observe(Seconds(times.compute));
  series_->serialize.histogram.Observe(Seconds(times.serialize));
  series_->total.histogram.Observe(Seconds(times.total));
}

BlockFailure Metrics::CountFailedBlock(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == ReasonName(Reason::kLate)) {
    series_->late.Increment();
    return BlockFailure::kLate;
  }
  if (reason == ReasonName(Reason::kOverloaded)) {
    series_->refused_overloaded.Increment();
  } else if (reason == ReasonName(Reason::kMemoryBudget)) {
    series_->refused_memory.Increment();
  } else if (reason == ReasonName(Reason::kRateLimited)) {
    series_->refused_rate.Increment();
  } else {
    return BlockFailure::kOther;
  }
  return BlockFailure::kRefused;
}

FailedBlocks Metrics::ReadFailedBlocks() const {
  const auto read = [](const Counter& counter) { return static_cast<int64_t>(counter.Value()); };
  return {read(series_->late),
          read(series_->refused_overloaded) + read(series_->refused_memory) + read(series_->refused_rate)};
}

void Metrics::CountLoad(LoadOutcome outcome) {
  switch (outcome) {
    case LoadOutcome::kOk:
      return series_->loads_ok.Increment();
    case LoadOutcome::kDegraded:
      return series_->loads_degraded.Increment();
    case LoadOutcome::kFailed:
      return series_->loads_failed.Increment();
  }
}

void Metrics::CountEviction() { series_->evictions.Increment(); }
void Metrics::CountFloodingConnection() { series_->floods.Increment(); }
void Metrics::CountTraining(const absl::Status& status) { series_->trainings.Count(status); }
void Metrics::CountImport(const absl::Status& status) { series_->imports.Count(status); }
void Metrics::CountFold(const absl::Status& status) { series_->folds.Count(status); }

std::string Metrics::Text(const Levels& levels) const {
  std::vector<MetricFamily> families = series_->registry.Collect();
  for (MetricFamily& family : FamiliesOf(levels)) families.push_back(std::move(family));
  families.push_back(series_->info);
  return prometheus::TextSerializer().Serialize(families);
}

std::vector<HistogramReading> Metrics::BlockHistograms() const {
  return {Read(series_->queue), Read(series_->batch), Read(series_->compute), Read(series_->serialize),
          Read(series_->total)};
}

}  // namespace kith::telemetry
