#include "server/storage/generation_table.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/storage/file.h"
#include "server/storage/quoted.h"
#include "server/storage/recipe_json.h"
#include "server/storage/reign_table.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

constexpr char kSelect[] =
    "SELECT g.experiment, g.id, g.number, g.snapshot, g.manifest_sha256, g.bytes, g.dimension, g.rows, g.total_rows,"
    " g.recipe, g.report, g.created, g.updated, g.checksum, r.id, r.since, r.checksum"
    " FROM generations AS g LEFT JOIN reigns AS r ON r.generation = g.id";

constexpr char kOrder[] = " ORDER BY g.experiment, r.id DESC";

std::string GenerationChecksum(std::string_view experiment, const StoredGeneration& generation) {
  const GenerationInfo& info = generation.record.info;
  return RowChecksum("generations")
      .Add(experiment)
      .Add(info.number)
      .Add(generation.snapshot.name)
      .Add(generation.snapshot.manifest_sha256)
      .Add(generation.snapshot.bytes)
      .Add(info.dimension)
      .Add(info.rows)
      .Add(generation.record.total_rows)
      .Add(generation.recipe)
      .Add(generation.report)
      .Add(absl::ToUnixMicros(info.created))
      .Add(absl::ToUnixMicros(generation.record.updated))
      .Finish();
}

bool ReadJson(const StoredGeneration& generation, GenerationInfo* info) {
  auto recipe = RecipeFromJson(generation.recipe);
  auto report = BuildReportFromJson(generation.report);
  if (!recipe.ok() || !report.ok()) return false;
  info->recipe = *std::move(recipe);
  info->report = *std::move(report);
  return true;
}

// The current row of a query that starts with kSelect.
StoredGeneration Read(const Query& query, const std::string& path) {
  StoredGeneration generation;
  GenerationRecord& record = generation.record;
  GenerationInfo& info = record.info;
  generation.id = query.Integer(1);
  info.number = query.Integer(2);
  generation.snapshot = {std::string(query.Text(3)), std::string(query.Text(4)), query.Integer(5)};
  info.bytes = generation.snapshot.bytes;
  info.dimension = static_cast<int>(query.Integer(6));
  info.rows = query.Integer(7);
  record.total_rows = query.Integer(8);
  generation.recipe = query.Text(9);
  generation.report = query.Text(10);
  info.created = absl::FromUnixMicros(query.Integer(11));
  record.updated = absl::FromUnixMicros(query.Integer(12));
  generation.since = absl::FromUnixMicros(query.Integer(15));
  const bool sound = query.Text(13) == GenerationChecksum(query.Text(0), generation) &&
                     query.Text(16) == ReignChecksum(query.Integer(14), generation.id, query.Integer(15));
  if (!sound || !ReadJson(generation, &info)) {
    record.status = Damage(path, absl::StrCat("the row of generation ", info.number, " of experiment ",
                                              Quoted(query.Text(0)), " fails its checksum"));
  }
  return generation;
}

}  // namespace

absl::Status ReadGenerations(const Database& database, std::optional<std::string_view> experiment,
                             absl::FunctionRef<void(std::string_view, StoredGeneration)> take) {
  const auto read = [&](Query query) {
    while (query.Next()) take(query.Text(0), Read(query, database.path()));
    return query.status();
  };
  if (!experiment) return read(Query(database, absl::StrCat(kSelect, kOrder)));
  return read(Query(database, absl::StrCat(kSelect, " WHERE g.experiment = ?", kOrder), *experiment));
}

absl::StatusOr<int64_t> InsertGeneration(const Database& database, std::string_view experiment,
                                         const StoredGeneration& generation) {
  const GenerationInfo& info = generation.record.info;
  const absl::Status status =
      Query(database,
            "INSERT INTO generations (experiment, number, snapshot, manifest_sha256, bytes, dimension, rows,"
            " total_rows, recipe, report, created, updated, checksum) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            experiment, info.number, generation.snapshot.name, generation.snapshot.manifest_sha256,
            generation.snapshot.bytes, info.dimension, info.rows, generation.record.total_rows, generation.recipe,
            generation.report, absl::ToUnixMicros(info.created), absl::ToUnixMicros(generation.record.updated),
            GenerationChecksum(experiment, generation))
          .Run();
  if (!status.ok()) return status;
  return static_cast<int64_t>(sqlite3_last_insert_rowid(database.handle()));
}

absl::Status UpdateGeneration(const Database& database, std::string_view experiment,
                              const StoredGeneration& generation) {
  return Query(database,
               "UPDATE generations SET snapshot = ?, manifest_sha256 = ?, bytes = ?, rows = ?, total_rows = ?,"
               " updated = ?, checksum = ? WHERE id = ?",
               generation.snapshot.name, generation.snapshot.manifest_sha256, generation.snapshot.bytes,
               generation.record.info.rows, generation.record.total_rows, absl::ToUnixMicros(generation.record.updated),
               GenerationChecksum(experiment, generation), generation.id)
      .Run();
}

absl::Status DeleteGeneration(const Database& database, int64_t id) {
  return Query(database, "DELETE FROM generations WHERE id = ?", id).Run();
}

absl::Status DeleteGenerations(const Database& database, std::string_view experiment) {
  return Query(database, "DELETE FROM generations WHERE experiment = ?", experiment).Run();
}

}  // namespace kith::storage
