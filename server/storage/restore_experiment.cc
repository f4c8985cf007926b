#include "server/storage/restore_experiment.h"

#include <utility>

#include "server/storage/addition_table.h"
#include "server/storage/experiment_table.h"
#include "server/storage/generation_table.h"
#include "server/storage/pin_table.h"
#include "server/storage/quoted.h"
#include "server/storage/reign_table.h"
#include "server/storage/request_table.h"

namespace kith::storage {
namespace {

absl::Status CopyAdditions(const Database& database, const CatalogueView& from, const StoredGeneration& generation,
                           int64_t new_id) {
  const auto entries = from.Additions(generation);
  if (!entries.ok()) return entries.status();
  std::vector<float> values;
  for (const AdditionEntry& entry : *entries) {
    retrieval::FrameView frames;
    frames.rows = entry.rows;
    frames.dimension = generation.record.info.dimension;
    values.resize(frames.size());
    frames.data = values.data();
    absl::Status status = from.ReadAddition(entry, absl::MakeSpan(values));
    if (status.ok()) status = InsertAddition(database, new_id, entry.first_id, entry.rows, CutIntoChunks(frames));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CopyGeneration(const Database& database, const CatalogueView& from, const std::string& experiment,
                            StoredGeneration generation, const SnapshotEntry& snapshot) {
  generation.snapshot = snapshot;
  const auto id = InsertGeneration(database, experiment, generation);
  if (!id.ok()) return id.status();
  const absl::Status status = InsertReign(database, *id, generation.since);
  return status.ok() ? CopyAdditions(database, from, generation, *id) : status;
}

absl::Status CopyRequests(const Database& database, const CatalogueView& from, const std::string& experiment) {
  const auto entries = from.Requests(experiment);
  if (!entries.ok()) return entries.status();
  for (const RequestEntry& entry : *entries) {
    const absl::Status status = InsertRequest(database, experiment, entry.id, entry.record, entry.created);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Changed> RestoreExperiment(const Database& database, const CatalogueView& from,
                                          const StoredExperiment& experiment,
                                          const std::vector<SnapshotEntry>& snapshots, bool replace) {
  const auto former = FindExperiment(database, experiment.name);
  if (!former.ok()) return former.status();
  if (former->has_value() && !replace) return ExperimentsExist(Quoted(experiment.name));
  absl::Status status = DeleteExperiment(database, experiment.name);
  if (status.ok()) status = PutExperiment(database, experiment.name, experiment.current, experiment.created);
  // The one that became current last comes last, so that its reign is the newest.
  for (size_t i = snapshots.size(); i > 0 && status.ok(); --i) {
    status = CopyGeneration(database, from, experiment.name, experiment.generations[i - 1], snapshots[i - 1]);
  }
  if (status.ok()) status = CopyRequests(database, from, experiment.name);
  if (status.ok()) status = PutPin(database, experiment.name, experiment.pinned);
  if (!status.ok()) return status;
  const auto restored = FindExperiment(database, experiment.name);
  if (!restored.ok()) return restored.status();
  return Changed{CurrentRecordOf(**restored),
                 former->has_value() ? (*former)->Snapshots() : std::vector<std::string>()};
}

}  // namespace kith::storage
