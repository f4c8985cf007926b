#include "server/storage/experiment_table.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/storage/file.h"
#include "server/storage/generation_table.h"
#include "server/storage/pin_table.h"
#include "server/storage/quoted.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

constexpr char kSelect[] =
    "SELECT e.name, e.current, e.created, e.checksum, p.checksum"
    " FROM experiments AS e LEFT JOIN pins AS p ON p.experiment = e.name";

std::string ExperimentChecksum(std::string_view name, int64_t current, int64_t created) {
  return RowChecksum("experiments").Add(name).Add(current).Add(created).Finish();
}

// The current row of a query that starts with kSelect.
StoredExperiment Read(const Query& query, const std::string& path) {
  StoredExperiment experiment;
  experiment.name = query.Text(0);
  experiment.current = query.Integer(1);
  experiment.created = absl::FromUnixMicros(query.Integer(2));
  experiment.pinned = IsPinRow(experiment.name, query.Text(4));
  if (query.Text(3) != ExperimentChecksum(experiment.name, experiment.current, query.Integer(2))) {
    experiment.status =
        Damage(path, absl::StrCat("the row of experiment ", Quoted(experiment.name), " fails its checksum"));
  }
  return experiment;
}

// Two tables say which generation is the current one, so that neither can lose a row unnoticed.
void MarkCurrent(StoredExperiment* experiment, const std::string& path) {
  if (!experiment->status.ok()) return;
  if (!experiment->generations.empty()) {
    GenerationRecord& newest = experiment->generations.front().record;
    newest.current = newest.info.number == experiment->current;
    if (newest.current) return;
  }
  experiment->status = Damage(path, absl::StrCat("the row of generation ", experiment->current, " of experiment ",
                                                 Quoted(experiment->name), " is missing or fails its checksum"));
}

}  // namespace

absl::StatusOr<std::vector<StoredExperiment>> ListExperiments(const Database& database) {
  std::map<std::string, std::vector<StoredGeneration>> generations;
  const absl::Status status =
      ReadGenerations(database, std::nullopt, [&](std::string_view experiment, StoredGeneration generation) {
        generations[std::string(experiment)].push_back(std::move(generation));
      });
  if (!status.ok()) return status;
  std::vector<StoredExperiment> all;
  Query query(database, absl::StrCat(kSelect, " ORDER BY e.name"));
  while (query.Next()) {
    all.push_back(Read(query, database.path()));
    all.back().generations = std::move(generations[all.back().name]);
    MarkCurrent(&all.back(), database.path());
  }
  if (!query.status().ok()) return query.status();
  return all;
}

absl::StatusOr<std::optional<StoredExperiment>> FindExperiment(const Database& database, std::string_view name) {
  Query query(database, absl::StrCat(kSelect, " WHERE e.name = ?"), name);
  if (!query.Next()) {
    if (!query.status().ok()) return query.status();
    return std::nullopt;
  }
  StoredExperiment found = Read(query, database.path());
  const absl::Status status = ReadGenerations(database, name, [&](std::string_view, StoredGeneration generation) {
    found.generations.push_back(std::move(generation));
  });
  if (!status.ok()) return status;
  MarkCurrent(&found, database.path());
  return found;
}

absl::Status PutExperiment(const Database& database, std::string_view name, int64_t current, absl::Time created) {
  const int64_t micros = absl::ToUnixMicros(created);
  return Query(database,
               "INSERT INTO experiments (name, current, created, checksum) VALUES (?, ?, ?, ?)"
               " ON CONFLICT (name) DO UPDATE SET current = excluded.current, created = excluded.created,"
               " checksum = excluded.checksum",
               name, current, micros, ExperimentChecksum(name, current, micros))
      .Run();
}

absl::Status DeleteExperiment(const Database& database, std::string_view name) {
  return Query(database, "DELETE FROM experiments WHERE name = ?", name).Run();
}

}  // namespace kith::storage
