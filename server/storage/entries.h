// What a catalogue holds of an experiment, and how it refers to a snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/storage/records.h"

namespace kith::storage {

// A snapshot as the catalogue refers to it.
struct SnapshotEntry {
  std::string name;  // opaque and random; never used again
  std::string manifest_sha256;
  int64_t bytes = 0;  // all files
};

struct StoredGeneration {
  int64_t id = 0;  // the catalogue's own; never used again
  SnapshotEntry snapshot;
  std::string recipe;  // JSON as stored, which another version may have written
  std::string report;  // the same
  absl::Time since;    // when it became the current one, the last time
  GenerationRecord record;
};

// With a bad status neither `created` nor `current` counts.
struct StoredExperiment {
  std::string name;
  absl::Time created;
  int64_t current = 0;  // the number of the current generation
  bool pinned = false;
  std::vector<StoredGeneration> generations;  // the one that became current last comes first
  absl::Status status;

  // The generation of that number; nullptr where there is none.
  const StoredGeneration* Find(int64_t number) const;

  // The names of its generations' snapshots, damaged rows included.
  std::vector<std::string> Snapshots() const;

  // "3, 2"
  std::string Numbers() const;
};

// Rows first_id to first_id + rows - 1 of a generation.
struct AdditionEntry {
  int64_t id = 0;
  int64_t first_id = 0;
  int64_t rows = 0;
};

// A request that was done.
struct RequestEntry {
  std::string id;
  RequestRecord record;
  absl::Time created;
};

// The experiment's record where `generation` is taken for its current one; the status tells of it alone.
ExperimentRecord RecordOf(const StoredExperiment& experiment, const StoredGeneration& generation);

// The same for the generation that is current; its status is bad where that is not known or damaged.
ExperimentRecord CurrentRecordOf(const StoredExperiment& experiment);

// The number that the experiment's next generation gets: the greatest there is + 1.
int64_t NextNumber(const StoredExperiment& experiment);

}  // namespace kith::storage
