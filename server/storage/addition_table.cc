#include "server/storage/addition_table.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "server/base/checksum.h"
#include "server/storage/file.h"
#include "server/storage/quoted.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

std::string DigestOf(absl::Span<const char> bytes) {
  Sha256 sha256;
  sha256.Update(bytes.data(), bytes.size());
  return sha256.Finish();
}

std::string AdditionChecksum(int64_t generation_id, int64_t first_id, int64_t rows) {
  return RowChecksum("additions").Add(generation_id).Add(first_id).Add(rows).Finish();
}

absl::Status AdditionDamage(const Database& database, const CurrentGeneration& current, int64_t first_id) {
  return Damage(database.path(), absl::StrCat("what was added to experiment ", Quoted(current.record.name),
                                              " from row ", first_id, " on"));
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

std::vector<Chunk> CutIntoChunks(retrieval::FrameView frames) {
  std::vector<Chunk> chunks;
  absl::Span<const char> rest(reinterpret_cast<const char*>(frames.data), frames.size() * sizeof(float));
  while (!rest.empty()) {
    const absl::Span<const char> piece = rest.first(std::min(rest.size(), kChunkBytes));
    chunks.push_back({piece, DigestOf(piece)});
    rest.remove_prefix(piece.size());
  }
  return chunks;
}

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

absl::Status ReadAdditions(const Database& database, const CurrentGeneration& current, retrieval::Frames* frames) {
  const int64_t total_rows = current.record.total_rows;
  int64_t next_id = frames->rows();
  frames->values.resize(static_cast<size_t>(total_rows) * frames->dimension);
  Query query(database, "SELECT id, first_id, rows, checksum FROM additions WHERE generation = ? ORDER BY first_id",
              current.id);
  while (query.Next()) {
    const int64_t first_id = query.Integer(1);
    const int64_t rows = query.Integer(2);
    if (query.Text(3) != AdditionChecksum(current.id, first_id, rows) || first_id != next_id ||
        rows > total_rows - next_id) {
      return AdditionDamage(database, current, next_id);
    }
    float* values = frames->values.data() + static_cast<size_t>(first_id) * frames->dimension;
    const size_t bytes = static_cast<size_t>(rows) * frames->dimension * sizeof(float);
    const auto sound = ReadChunks(database, query.Integer(0), {reinterpret_cast<char*>(values), bytes});
    if (!sound.ok()) return sound.status();
    if (!*sound) return AdditionDamage(database, current, first_id);
    next_id += rows;
  }
  if (!query.status().ok()) return query.status();
  return next_id == total_rows ? absl::OkStatus() : AdditionDamage(database, current, next_id);
}

}  // namespace kith::storage
