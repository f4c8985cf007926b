#include "server/storage/generation_change.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/addition_table.h"
#include "server/storage/experiment_table.h"
#include "server/storage/generation_table.h"
#include "server/storage/quoted.h"
#include "server/storage/recipe_json.h"
#include "server/storage/reign_table.h"

namespace kith::storage {
namespace {

absl::Status Overtaken(std::string_view name, int64_t number) {
  return Error(absl::StatusCode::kAborted, Reason::kInternal,
               absl::StrCat("experiment ", Quoted(name), " was changed while generation ", number,
                            " was being saved; train it again"));
}

StoredGeneration NewGeneration(const GenerationInfo& info, const SnapshotEntry& snapshot) {
  StoredGeneration generation;
  generation.snapshot = snapshot;
  generation.recipe = Text(ToJson(info.recipe));
  generation.report = Text(ToJson(info.report));
  generation.record.info = info;
  generation.record.total_rows = info.rows;
  generation.record.updated = info.created;
  return generation;
}

absl::StatusOr<ExperimentRecord> CurrentRecord(const Database& database, std::string_view name) {
  const auto found = FindExperiment(database, name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  return CurrentRecordOf(**found);
}

// Removes what is too much beside the new generation, and what is damaged: nobody could read it. Gives the snapshots.
absl::StatusOr<std::vector<std::string>> Prune(const Database& database, const StoredExperiment& former, int keep) {
  std::vector<std::string> removed;
  int kept = 1;
  for (const StoredGeneration& generation : former.generations) {
    if (generation.record.status.ok() && kept < keep) {
      ++kept;
      continue;
    }
    const absl::Status status = DeleteGeneration(database, generation.id);
    if (!status.ok()) return status;
    removed.push_back(generation.snapshot.name);
  }
  return removed;
}

// The generation that a rollback leads to.
absl::StatusOr<const StoredGeneration*> RollbackTarget(const StoredExperiment& experiment, std::optional<int64_t> to) {
  const auto& generations = experiment.generations;
  const StoredGeneration* target = nullptr;
  if (to) {
    target = experiment.Find(*to);
    if (target == nullptr) return NoGeneration(experiment, *to);
  } else {
    // Where the row of the current one is lost, the first that is left came before it.
    const bool current_is_first = !experiment.status.ok() ? experiment.Find(experiment.current) != nullptr : true;
    const size_t before = current_is_first ? 1 : 0;
    if (before >= generations.size()) {
      return Error(Reason::kBadParameter,
                   absl::StrCat("experiment ", Quoted(experiment.name),
                                " has no generation to go back to; there are: ", experiment.Numbers()));
    }
    target = &generations[before];
  }
  if (!target->record.status.ok()) return target->record.status;
  return target;
}

}  // namespace

absl::StatusOr<Changed> AddGeneration(const Database& database, std::string_view name,
                                      const std::optional<StoredExperiment>& former, const GenerationInfo& generation,
                                      const SnapshotEntry& snapshot, int keep) {
  if ((former ? NextNumber(*former) : 1) != generation.number) return Overtaken(name, generation.number);
  const absl::Time created = former && former->status.ok() ? former->created : generation.created;
  absl::Status status = PutExperiment(database, name, generation.number, created);
  // Without an experiment there are generations only in a damaged catalogue.
  if (status.ok() && !former) status = DeleteGenerations(database, name);
  if (!status.ok()) return status;
  const auto id = InsertGeneration(database, name, NewGeneration(generation, snapshot));
  if (!id.ok()) return id.status();
  status = InsertReign(database, *id, generation.created);
  if (!status.ok()) return status;
  auto removed = Prune(database, former ? *former : StoredExperiment(), keep);
  if (!removed.ok()) return removed.status();
  auto record = CurrentRecord(database, name);
  if (!record.ok()) return record.status();
  return Changed{*std::move(record), *std::move(removed)};
}

absl::StatusOr<ExperimentRecord> MakeCurrent(const Database& database, std::string_view name, std::optional<int64_t> to,
                                             absl::Time now) {
  const auto found = FindExperiment(database, name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  const StoredExperiment& experiment = **found;
  const auto target = RollbackTarget(experiment, to);
  if (!target.ok()) return target.status();
  const GenerationRecord& record = (*target)->record;
  if (experiment.status.ok() && record.current) return CurrentRecordOf(experiment);
  const absl::Time created = experiment.status.ok() ? experiment.created : record.info.created;
  absl::Status status = PutExperiment(database, name, record.info.number, created);
  if (status.ok()) status = InsertReign(database, (*target)->id, now);
  if (!status.ok()) return status;
  return CurrentRecord(database, name);
}

absl::StatusOr<Changed> FoldGeneration(const Database& database, std::string_view name,
                                       const StoredGeneration& generation, int64_t rows,
                                       const SnapshotEntry& snapshot) {
  const auto found = FindExperiment(database, name);
  if (!found.ok()) return found.status();
  const StoredGeneration* stands = found->has_value() ? (*found)->Find(generation.record.info.number) : nullptr;
  const bool fits = stands != nullptr && stands->id == generation.id && stands->record.status.ok() &&
                    stands->record.info.rows < rows && rows <= stands->record.total_rows;
  if (!fits) {
    return Error(absl::StatusCode::kAborted, Reason::kInternal,
                 absl::StrCat("generation ", generation.record.info.number, " of experiment ", Quoted(name),
                              " was changed while it was being folded"));
  }
  StoredGeneration folded = *stands;
  folded.snapshot = snapshot;
  folded.record.info.rows = rows;
  absl::Status status = UpdateGeneration(database, name, folded);
  if (status.ok()) status = DeleteAdditionsBefore(database, folded.id, rows);
  if (!status.ok()) return status;
  auto record = CurrentRecord(database, name);
  if (!record.ok()) return record.status();
  return Changed{*std::move(record), {stands->snapshot.name}};
}

absl::Status ForgetGenerations(const Database& database, const StoredExperiment& experiment,
                               const std::set<int64_t>& generations, absl::Time now) {
  const StoredGeneration* left = nullptr;
  absl::Status status;
  for (const StoredGeneration& generation : experiment.generations) {
    if (generations.count(generation.id) == 0) {
      left = left == nullptr ? &generation : left;
    } else if (status.ok()) {
      status = DeleteGeneration(database, generation.id);
    }
  }
  if (!status.ok()) return status;
  if (left == nullptr) return DeleteExperiment(database, experiment.name);
  return MakeCurrent(database, experiment.name, left->record.info.number, now).status();
}

}  // namespace kith::storage
