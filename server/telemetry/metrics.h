// What the server counts and times, for Prometheus and for GetServerInfo.
//
// Names are kith_<what>_<base unit>, those of counters end in _total. The values of labels come from lists of our own,
// but for the names of a bounded number of experiments. What a block costs here is measured by bench/metrics_bench.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/telemetry/levels.h"
#include "server/telemetry/rpc_name.h"

namespace kith::telemetry {

// The labels of kith_build_info.
struct BuildInfo {
  std::string version;
  std::string faiss;
  std::string instruction_set;
};

// Where the time of a block went that was answered with a result.
struct BlockTimes {
  Clock::duration queue{};      // until a worker took its first rows
  Clock::duration compute{};    // from there until it was searched and blended
  Clock::duration serialize{};  // from there until gRPC had the answer
  Clock::duration total{};      // from its arrival until gRPC had the answer
};

// A histogram as it stands.
struct HistogramReading {
  std::string name;
  std::vector<double> bounds;    // ascending
  std::vector<uint64_t> counts;  // of the values up to each bound and above the one before; the last: above all
  double sum = 0;
  uint64_t count = 0;
};

// Why a block got no result.
enum class BlockFailure { kLate, kRefused, kOther };

struct FailedBlocks {
  int64_t late = 0;
  int64_t refused = 0;
};

enum class LoadOutcome { kOk, kDegraded, kFailed };

// Thread-safe. What is called for every block takes no lock but those of the histograms, which are held for the adding
// of one value; it looks nothing up and allocates nothing.
class Metrics {
 public:
  explicit Metrics(const BuildInfo& build);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The end of a call.
  void CountCall(Rpc rpc, absl::StatusCode code);
  // The answer to a block of a stream.
  void CountStreamBlock(Rpc rpc, absl::StatusCode code);
  // Rows that were to be searched, added or trained on, by what became of them.
  void CountRows(Rpc rpc, absl::StatusCode code, int64_t rows);

  // Rows that are searched together.
  void ObserveBatch(int64_t rows);
  void ObserveBlock(const BlockTimes& times);
  // A block, of a stream or a call, that got no result: counts those that were late or refused, and says which.
  BlockFailure CountFailedBlock(const absl::Status& status);

  void CountLoad(LoadOutcome outcome);
  void CountEviction();
  // One that was ended for what came by it.
  void CountFloodingConnection();
  // These are told how it ended.
  void CountTraining(const absl::Status& status);
  void CountImport(const absl::Status& status);
  void CountFold(const absl::Status& status);

  // Of those that CountFailedBlock was told of.
  FailedBlocks ReadFailedBlocks() const;

  // All of it in Prometheus' text format, version 0.0.4.
  std::string Text(const Levels& levels) const;

  // kith_block_queue_seconds, kith_batch_rows, kith_block_compute_seconds, kith_block_serialize_seconds and
  // kith_block_seconds.
  std::vector<HistogramReading> BlockHistograms() const;

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace kith::telemetry
