#include "server/storage/addition_table.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/storage/file.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

std::string AdditionChecksum(int64_t generation_id, int64_t first_id, int64_t rows) {
  return RowChecksum("additions").Add(generation_id).Add(first_id).Add(rows).Finish();
}

// Fills `out` with an addition's values. False where its chunks are not what was written.
absl::StatusOr<bool> ReadChunks(const Database& database, int64_t addition_id, absl::Span<char> out) {
  Query query(database, "SELECT position, sha256, data FROM addition_chunks WHERE addition = ? ORDER BY position",
              addition_id);
  for (int64_t position = 0; query.Next(); ++position) {
    const absl::Span<const char> data = query.Blob(2);
    if (query.Integer(0) != position || data.size() > out.size() || query.Text(1) != DigestOf(data)) return false;
    if (!data.empty()) std::memcpy(out.data(), data.data(), data.size());
    out.remove_prefix(data.size());
  }
  if (!query.status().ok()) return query.status();
  return out.empty();
}

}  // namespace

absl::Status InsertAddition(const Database& database, int64_t generation_id, int64_t first_id, int64_t rows,
                            const std::vector<Chunk>& chunks) {
  absl::Status status =
      Query(database, "INSERT INTO additions (generation, first_id, rows, checksum) VALUES (?, ?, ?, ?)", generation_id,
            first_id, rows, AdditionChecksum(generation_id, first_id, rows))
          .Run();
  const int64_t addition_id = sqlite3_last_insert_rowid(database.handle());
  for (size_t i = 0; i < chunks.size() && status.ok(); ++i) {
    status = Query(database, "INSERT INTO addition_chunks (addition, position, sha256, data) VALUES (?, ?, ?, ?)",
                   addition_id, static_cast<int64_t>(i), chunks[i].sha256, chunks[i].data)
                 .Run();
  }
  return status;
}

absl::StatusOr<std::vector<AdditionEntry>> ListAdditions(const Database& database, const StoredGeneration& generation) {
  const GenerationRecord& record = generation.record;
  const auto damage = [&](int64_t from) {
    return Damage(database.path(),
                  absl::StrCat("what was added to generation ", record.info.number, " from row ", from, " on"));
  };
  std::vector<AdditionEntry> entries;
  int64_t next_id = record.info.rows;
  Query query(database, "SELECT id, first_id, rows, checksum FROM additions WHERE generation = ? ORDER BY first_id",
              generation.id);
  while (query.Next()) {
    const AdditionEntry entry = {query.Integer(0), query.Integer(1), query.Integer(2)};
    if (query.Text(3) != AdditionChecksum(generation.id, entry.first_id, entry.rows) || entry.first_id != next_id ||
        entry.rows > record.total_rows - next_id) {
      return damage(next_id);
    }
    next_id += entry.rows;
    entries.push_back(entry);
  }
  if (!query.status().ok()) return query.status();
  if (next_id != record.total_rows) return damage(next_id);
  return entries;
}

absl::Status ReadAddition(const Database& database, const AdditionEntry& entry, absl::Span<float> out) {
  const auto sound = ReadChunks(database, entry.id, {reinterpret_cast<char*>(out.data()), out.size() * sizeof(float)});
  if (!sound.ok()) return sound.status();
  if (*sound) return absl::OkStatus();
  return Damage(database.path(), absl::StrCat("what was added from row ", entry.first_id, " on"));
}

absl::Status DeleteAdditionsBefore(const Database& database, int64_t generation_id, int64_t row) {
  return Query(database, "DELETE FROM additions WHERE generation = ? AND first_id < ?", generation_id, row).Run();
}

}  // namespace kith::storage
