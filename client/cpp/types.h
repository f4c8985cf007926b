// What the client library speaks of: frames, recipes, results. Plain values without protobuf or gRPC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"

namespace kith {

// A row-major [rows, dimension] float32 matrix: one row is one HuBERT/ContentVec frame (20 ms of speech).
struct Frames {
  int dimension = 0;
  std::vector<float> values;  // rows * dimension

  int64_t rows() const { return dimension > 0 ? static_cast<int64_t>(values.size()) / dimension : 0; }
};

// The same without owning the values, which must outlive the view.
struct FramesView {
  FramesView() = default;
  FramesView(absl::Span<const float> values_in, int dimension_in) : values(values_in), dimension(dimension_in) {}
  FramesView(const Frames& frames) : values(frames.values), dimension(frames.dimension) {}  // NOLINT: a view of it

  int64_t rows() const { return dimension > 0 ? static_cast<int64_t>(values.size()) / dimension : 0; }
  FramesView Rows(int64_t first, int64_t count) const {
    return {values.subspan(first * dimension, count * dimension), dimension};
  }

  absl::Span<const float> values;
  int dimension = 0;
};

// What "near" means, and so what a search's distance is: squared L2, inner product, or inner product of unit rows.
enum class Metric { kL2, kInnerProduct, kCosine };

// "l2", "inner-product", "cosine".
std::string_view MetricName(Metric metric);

// Mini-batch k-means before the index is built: the centres replace the frames.
struct Compression {
  int64_t centres = 0;            // 1 to the number of frames
  std::optional<int> batch_size;  // rows a step; unset: 256 x the server's training threads
  std::optional<int> iterations;  // passes over the frames at most; unset: 100
};

// Alpha expansion of the stored frames before the index is built, after Compression: each becomes the mean of its
// nearest, weighted by max(0, cosine)^alpha.
struct Expansion {
  int neighbors = 0;           // itself included; 1 to the number of frames
  std::optional<float> alpha;  // 0 or more; unset: 3
  bool unit_norm = false;      // rows of norm 1 instead of each row's own norm
};

// How an index is made. Empty: the recipe `auto`. What is unset is the recipe's own.
struct Recipe {
  std::string name;     // auto, rvc, rvc-2023 or fastscan
  std::string factory;  // a faiss factory string; excludes `name`
  Metric metric = Metric::kL2;
  std::optional<int> nprobe;      // default for searches, 1 to nlist
  std::optional<float> k_factor;  // candidates re-ranked per neighbour, 1 to 1024; unset: 4
  std::optional<int64_t> seed;    // unset: 1234
  std::optional<Compression> compression;
  std::optional<Expansion> expansion;
};

// What is unset is the experiment's own; an explicit 0 is an error.
struct SearchParams {
  std::optional<int> k;  // neighbours a row, 1 to 1024; unset: 8
  std::optional<int> nprobe;
  std::optional<float> k_factor;
};

struct SearchResult {
  int k = 0;
  std::vector<int64_t> ids;      // rows * k, row-major, nearest first; -1 where there is no neighbour
  std::vector<float> distances;  // rows * k
  int64_t generation = 0;
};

enum class Weighting {
  kInverseSquare,  // w = (1 / squared L2 distance)^2, what RVC does
  kAlpha,          // w = max(0, cosine)^alpha
};

// How to blend: out = index_rate * blended + (1 - index_rate) * frame.
struct ExpandParams {
  SearchParams search;
  Weighting weighting = Weighting::kInverseSquare;
  std::optional<float> alpha;       // kAlpha only: 0 or more; unset: 3
  std::optional<float> index_rate;  // 0 to 1; unset: 1
  bool include_query = false;       // kAlpha only: the query itself takes part, weight 1 (see the proto)
  bool unit_norm = false;           // kAlpha only: rows of norm 1 instead of the query's norm
};

struct ExpandResult {
  Frames frames;                 // the shape of the request
  int64_t passthrough_rows = 0;  // rows without any neighbour, given back unchanged
  int64_t generation = 0;
};

// One voice and what stands of it on the server; the fields are those of kith.v1.Experiment.
struct Experiment {
  enum class State { kUnknown, kTraining, kReady, kFailed, kDegraded };

  std::string name;
  State state = State::kUnknown;
  std::string message;    // kFailed and kDegraded: what happened
  bool training = false;  // a training is under way
  int64_t rows = 0;
  int dimension = 0;
  Metric metric = Metric::kL2;
  std::string recipe;   // empty with an explicit factory
  std::string factory;  // what was built
  int64_t nlist = 0;
  int nprobe = 0;
  float k_factor = 0;
  int64_t seed = 0;
  int64_t generation = 0;
  double recall_at_8 = 0;
  int64_t bytes = 0;                       // in memory; 0 where it is not there now
  bool resident = false;                   // in memory now
  int64_t disk_bytes = 0;                  // of all generations that are kept
  bool pinned = false;                     // stays in memory, whoever else needs room
  std::optional<Compression> compression;  // what was done to the frames before the index was built
  std::optional<Expansion> expansion;
  std::string source_sha256;  // of the index file that was imported; empty: it was trained
  absl::Time created = absl::InfinitePast();
  absl::Time updated = absl::InfinitePast();
  absl::Time last_used =
      absl::InfinitePast();  // by a search or an addition; InfinitePast: not since the server started
};

// A trained result of an experiment that is kept; the fields are those of kith.v1.Generation.
struct Generation {
  int64_t number = 0;
  bool current = false;  // the one that is served
  std::string message;   // not empty: it cannot be read, and why
  int64_t rows = 0;      // additions to it included
  int dimension = 0;
  Recipe recipe;
  std::string factory;  // what was built
  int64_t nlist = 0;
  int nprobe = 0;
  double recall_at_8 = 0;
  int64_t disk_bytes = 0;
  absl::Time created = absl::InfinitePast();
  absl::Time updated = absl::InfinitePast();
};

// The first row with a NaN or an infinity, which no call takes; -1 where every value is finite.
int64_t FirstRowNotFinite(FramesView frames);

// "training", "ready", "failed", "degraded", "unknown".
std::string_view StateName(Experiment::State state);

enum class TrainPhase {
  kReceiving,
  kQueued,
  kCompressing,
  kExpanding,
  kTraining,
  kAdding,
  kMeasuring,
  kSaving,
  kDone,
  kChecking
};

// "receiving", "queued", ...
std::string_view PhaseName(TrainPhase phase);

struct TrainProgress {
  TrainPhase phase = TrainPhase::kReceiving;
  int64_t done = 0;   // rows, iterations or bytes of this phase
  int64_t total = 0;  // 0: not known
};

// One recipe with one setting of its search parameters, as a tuning measured it; the fields are those of
// kith.v1.TuneCandidate.
struct TuneCandidate {
  Recipe recipe;        // complete: Retrain by it gives this index
  std::string factory;  // what faiss was given
  int64_t rows = 0;     // stored, after compression
  double recall_at_8 = 0;
  double blend_cosine = 0;
  double microseconds_per_row = 0;  // of a search and blend in blocks of 16 rows, on one thread
  int64_t bytes = 0;                // in memory
  double build_seconds = 0;
  bool pareto = false;  // none is as good in recall, blend, time and memory and better in one of them
  bool chosen = false;  // the fastest that keeps every frame as it is and reaches the recall aimed at
};

struct TuneProgress {
  std::string step;  // what is being tried
  int done = 0;      // indexes
  int total = 0;     // 0: it waits for its turn
};

struct AddResult {
  int64_t first_id = 0;    // the frames sent have the ids first_id to first_id + rows - 1
  int64_t rows = 0;        // added
  int64_t total_rows = 0;  // stored now
  int64_t generation = 0;
};

// The index that an Export gives.
struct ExportInfo {
  int64_t bytes = 0;
  int64_t generation = 0;
  std::string file_name;  // what RVC would call it
};

// The frames that a GetFrames gives.
struct FramesInfo {
  int64_t rows = 0;
  int dimension = 0;
  int64_t generation = 0;
};

// What is damaged on the server, and so is not in a Backup.
struct LeftOut {
  std::string experiment;
  int64_t generation = 0;  // 0: all of the experiment
  std::string message;     // what is damaged
};

// What the tar of a Backup holds.
struct BackupInfo {
  int64_t experiments = 0;
  int64_t generations = 0;
  int64_t bytes = 0;  // of the tar
  std::vector<LeftOut> left_out;
};

// What the server observed since its start; the fields are those of kith.v1.Histogram.
struct Histogram {
  std::string name;
  std::vector<double> bounds;    // ascending
  std::vector<uint64_t> counts;  // of the values up to each bound and above the one before; the last: above all
  double sum = 0;                // of the values
  uint64_t count = 0;            // of the values
};

// What the server is and holds; the fields are those of kith.v1.GetServerInfoResponse.
struct ServerInfo {
  std::string version;
  std::string faiss;            // its version
  std::string instruction_set;  // that faiss was compiled for
  std::string blas;
  int search_threads = 0;
  absl::Time started = absl::InfinitePast();
  int64_t memory_budget_bytes = 0;
  int64_t memory_reserved_bytes = 0;
  int64_t experiments = 0;
  int64_t resident_experiments = 0;
  // kith_block_queue_seconds, kith_batch_rows, kith_block_compute_seconds, kith_block_serialize_seconds,
  // kith_block_seconds.
  std::vector<Histogram> histograms;
  std::string log_level;  // the least that it logs: trace, debug, info, warn or error
};

enum class Health { kUnknown, kServing, kNotServing };

}  // namespace kith
