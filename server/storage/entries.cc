#include "server/storage/entries.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace kith::storage {
namespace {

// A damaged row's generation number is counted on from only below this.
constexpr int64_t kMaxDamagedNumber = int64_t{1} << 53;

bool IsBelievable(int64_t number, const absl::Status& status) {
  return status.ok() || (number > 0 && number < kMaxDamagedNumber);
}

}  // namespace

const StoredGeneration* StoredExperiment::Find(int64_t number) const {
  const auto found = std::find_if(generations.begin(), generations.end(), [&](const StoredGeneration& generation) {
    return generation.record.info.number == number;
  });
  return found == generations.end() ? nullptr : &*found;
}

std::vector<std::string> StoredExperiment::Snapshots() const {
  std::vector<std::string> names;
  for (const StoredGeneration& generation : generations) names.push_back(generation.snapshot.name);
  return names;
}

std::string StoredExperiment::Numbers() const {
  return absl::StrJoin(generations, ", ", [](std::string* out, const StoredGeneration& generation) {
    absl::StrAppend(out, generation.record.info.number);
  });
}

ExperimentRecord RecordOf(const StoredExperiment& experiment, const StoredGeneration& generation) {
  ExperimentRecord record;
  record.name = experiment.name;
  record.generation = generation.record.info;
  record.total_rows = generation.record.total_rows;
  record.created = experiment.created;
  record.updated = std::max(generation.record.updated, generation.since);
  record.pinned = experiment.pinned;
  for (const StoredGeneration& kept : experiment.generations) {
    if (kept.record.status.ok()) record.disk_bytes += kept.snapshot.bytes;
  }
  record.status = generation.record.status;
  return record;
}

ExperimentRecord CurrentRecordOf(const StoredExperiment& experiment) {
  const StoredGeneration* current = experiment.Find(experiment.current);
  ExperimentRecord record = RecordOf(experiment, current == nullptr ? StoredGeneration() : *current);
  if (!experiment.status.ok()) record.status = experiment.status;
  return record;
}

int64_t NextNumber(const StoredExperiment& experiment) {
  int64_t greatest = IsBelievable(experiment.current, experiment.status) ? experiment.current : 0;
  for (const StoredGeneration& generation : experiment.generations) {
    const int64_t number = generation.record.info.number;
    if (IsBelievable(number, generation.record.status)) greatest = std::max(greatest, number);
  }
  return greatest + 1;
}

}  // namespace kith::storage
