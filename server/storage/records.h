// What the store knows of experiments, generations and requests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"

namespace kith::storage {

// A generation as it was trained.
struct GenerationInfo {
  int64_t number = 0;  // 1 for the first training of an experiment, then one more each time
  retrieval::Recipe recipe;
  retrieval::BuildReport report;
  int64_t rows = 0;  // in the snapshot; additions are not counted
  int dimension = 0;
  int64_t bytes = 0;  // of the snapshot on disk
  absl::Time created;
};

struct ExperimentRecord {
  std::string name;
  GenerationInfo generation;  // the current one
  int64_t total_rows = 0;     // of the current one, additions included
  absl::Time created;         // first training
  absl::Time updated;         // last training, addition or rollback
  bool pinned = false;        // to be held in memory
  int64_t disk_bytes = 0;     // the snapshots of all kept generations
  // DATA_LOSS where the catalogue's rows of it or of its current generation are damaged; then `name`, `pinned` and
  // `disk_bytes` count alone. Other generations may be sound, see Store::Generations.
  absl::Status status;
};

// A generation that is kept.
struct GenerationRecord {
  GenerationInfo info;
  int64_t total_rows = 0;  // additions included
  absl::Time updated;      // last training or addition
  bool current = false;
  absl::Status status;  // DATA_LOSS where its rows of the catalogue are damaged; then only info.number may count
};

// A client's request id and the digest of what it sent: makes a retry safe.
struct Request {
  std::string id;      // not empty
  std::string digest;  // of the request's content, computed by the caller
};

enum class RequestKind { kTrain, kAdd };

// How long a request id is remembered.
inline constexpr absl::Duration kRequestLifetime = absl::Hours(24);

// What a request was answered with.
struct RequestRecord {
  RequestKind kind = RequestKind::kTrain;
  std::string digest;
  int64_t first_id = 0;
  int64_t rows = 0;
  int64_t total_rows = 0;
  int64_t generation = 0;
};

struct CommitRecord {
  ExperimentRecord experiment;
  bool repeated = false;  // the request had been done before: nothing was changed, `experiment` is what stands now
};

// Rows to be added behind those of a generation, which has to be the current one.
struct Addition {
  std::string name;
  int64_t generation = 0;
  retrieval::FrameView frames;  // somebody else's, unchanged until the answer is there
  std::optional<Request> request;
};

struct AddRecord {
  int64_t first_id = 0;  // the rows have the ids first_id to first_id + rows - 1
  int64_t rows = 0;
  int64_t total_rows = 0;
  int64_t generation = 0;
  bool repeated = false;  // the request had been done before: this is its first answer, nothing was changed
};

struct LoadedExperiment {
  // `generation`, `total_rows` and `updated` speak of the generation that was read.
  ExperimentRecord experiment;
  // total_rows rows: generation.rows of the snapshot, which the index holds, then the additions in order, which it
  // does not.
  retrieval::Frames frames;
};

// What is damaged, and so is not in a backup.
struct LeftOut {
  std::string experiment;
  int64_t generation = 0;  // 0: all of the experiment
  absl::Status why;        // DATA_LOSS
};

// What a backup holds.
struct BackupSummary {
  int64_t experiments = 0;
  int64_t generations = 0;
  int64_t bytes = 0;  // of the tar
  std::vector<LeftOut> left_out;
};

}  // namespace kith::storage
