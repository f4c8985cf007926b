#include "server/storage/reign_table.h"

#include "server/storage/row_checksum.h"

namespace kith::storage {

std::string ReignChecksum(int64_t id, int64_t generation_id, int64_t since) {
  return RowChecksum("reigns").Add(id).Add(generation_id).Add(since).Finish();
}

absl::Status InsertReign(const Database& database, int64_t generation_id, absl::Time since) {
  const int64_t micros = absl::ToUnixMicros(since);
  absl::Status status = Query(database, "DELETE FROM reigns WHERE generation = ?", generation_id).Run();
  if (!status.ok()) return status;
  status = Query(database, "INSERT INTO reigns (generation, since, checksum) VALUES (?, ?, '')", generation_id, micros)
               .Run();
  if (!status.ok()) return status;
  const int64_t id = sqlite3_last_insert_rowid(database.handle());  // the checksum covers it
  return Query(database, "UPDATE reigns SET checksum = ? WHERE id = ?", ReignChecksum(id, generation_id, micros), id)
      .Run();
}

}  // namespace kith::storage
