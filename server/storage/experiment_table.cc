#include "server/storage/experiment_table.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/storage/file.h"
#include "server/storage/quoted.h"
#include "server/storage/recipe_json.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

constexpr char kSelect[] =
    "SELECT e.name, e.current, e.created, e.checksum, g.id, g.number, g.snapshot, g.manifest_sha256, g.bytes,"
    " g.dimension, g.rows, g.total_rows, g.recipe, g.report, g.created, g.updated, g.checksum"
    " FROM experiments AS e LEFT JOIN generations AS g ON g.experiment = e.name AND g.number = e.current";

std::string ExperimentChecksum(std::string_view name, int64_t current, int64_t created) {
  return RowChecksum("experiments").Add(name).Add(current).Add(created).Finish();
}

// Recipe and report are passed as the text that is stored.
std::string GenerationChecksum(std::string_view name, const GenerationInfo& info, const SnapshotEntry& snapshot,
                               std::string_view recipe, std::string_view report, int64_t total_rows, int64_t updated) {
  return RowChecksum("generations")
      .Add(name)
      .Add(info.number)
      .Add(snapshot.folder)
      .Add(snapshot.manifest_sha256)
      .Add(snapshot.bytes)
      .Add(info.dimension)
      .Add(info.rows)
      .Add(total_rows)
      .Add(recipe)
      .Add(report)
      .Add(absl::ToUnixMicros(info.created))
      .Add(updated)
      .Finish();
}

bool ReadJson(const CurrentGeneration& current, GenerationInfo* info) {
  auto recipe = RecipeFromJson(current.recipe);
  auto report = BuildReportFromJson(current.report);
  if (!recipe.ok() || !report.ok()) return false;
  info->recipe = *std::move(recipe);
  info->report = *std::move(report);
  return true;
}

// The current row of a query that starts with kSelect.
CurrentGeneration Read(const Query& query, const std::string& path) {
  CurrentGeneration current;
  ExperimentRecord& record = current.record;
  GenerationInfo& info = record.generation;
  record.name = query.Text(0);
  record.created = absl::FromUnixMicros(query.Integer(2));
  current.id = query.Integer(4);
  info.number = query.Integer(5);
  current.snapshot = {std::string(query.Text(6)), std::string(query.Text(7)), query.Integer(8)};
  info.bytes = current.snapshot.bytes;
  info.dimension = static_cast<int>(query.Integer(9));
  info.rows = query.Integer(10);
  record.total_rows = query.Integer(11);
  current.recipe = query.Text(12);
  current.report = query.Text(13);
  info.created = absl::FromUnixMicros(query.Integer(14));
  record.updated = absl::FromUnixMicros(query.Integer(15));
  const bool sound = query.Text(3) == ExperimentChecksum(record.name, query.Integer(1), query.Integer(2)) &&
                     query.Text(16) == GenerationChecksum(record.name, info, current.snapshot, current.recipe,
                                                          current.report, record.total_rows, query.Integer(15));
  if (!sound || !ReadJson(current, &info)) {
    record.status = Damage(path, absl::StrCat("the row of experiment ", Quoted(record.name), " fails its checksum"));
  }
  return current;
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

}  // namespace

absl::StatusOr<std::vector<CurrentGeneration>> ListCurrent(const Database& database) {
  std::vector<CurrentGeneration> all;
  Query query(database, absl::StrCat(kSelect, " ORDER BY e.name"));
  while (query.Next()) all.push_back(Read(query, database.path()));
  if (!query.status().ok()) return query.status();
  return all;
}

absl::StatusOr<std::optional<CurrentGeneration>> FindCurrent(const Database& database, std::string_view name) {
  std::optional<CurrentGeneration> found;
  Query query(database, absl::StrCat(kSelect, " WHERE e.name = ?"), name);
  if (query.Next()) found = Read(query, database.path());
  if (!query.status().ok()) return query.status();
  return found;
}

absl::StatusOr<std::vector<std::string>> SnapshotsOf(const Database& database, std::string_view name) {
  std::vector<std::string> folders;
  Query query(database, "SELECT snapshot FROM generations WHERE experiment = ?", name);
  while (query.Next()) folders.emplace_back(query.Text(0));
  if (!query.status().ok()) return query.status();
  return folders;
}

absl::Status ReplaceGenerations(const Database& database, std::string_view name, absl::Time created,
                                const GenerationInfo& generation, const SnapshotEntry& snapshot) {
  absl::Status status = PutExperiment(database, name, generation.number, created);
  if (!status.ok()) return status;
  status = Query(database, "DELETE FROM generations WHERE experiment = ?", name).Run();
  if (!status.ok()) return status;
  const std::string recipe = Text(ToJson(generation.recipe));
  const std::string report = Text(ToJson(generation.report));
  const int64_t micros = absl::ToUnixMicros(generation.created);
  return Query(database,
               "INSERT INTO generations (experiment, number, snapshot, manifest_sha256, bytes, dimension, rows,"
               " total_rows, recipe, report, created, updated, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
               name, generation.number, snapshot.folder, snapshot.manifest_sha256, snapshot.bytes, generation.dimension,
               generation.rows, generation.rows, recipe, report, micros, micros,
               GenerationChecksum(name, generation, snapshot, recipe, report, generation.rows, micros))
      .Run();
}

absl::Status UpdateTotalRows(const Database& database, const CurrentGeneration& current, int64_t total_rows,
                             absl::Time updated) {
  const GenerationInfo& info = current.record.generation;
  const int64_t micros = absl::ToUnixMicros(updated);
  return Query(database, "UPDATE generations SET total_rows = ?, updated = ?, checksum = ? WHERE id = ?", total_rows,
               micros,
               GenerationChecksum(current.record.name, info, current.snapshot, current.recipe, current.report,
                                  total_rows, micros),
               current.id)
      .Run();
}

absl::Status DeleteExperiment(const Database& database, std::string_view name) {
  return Query(database, "DELETE FROM experiments WHERE name = ?", name).Run();
}

}  // namespace kith::storage
