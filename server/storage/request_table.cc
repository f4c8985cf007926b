#include "server/storage/request_table.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/file.h"
#include "server/storage/quoted.h"
#include "server/storage/row_checksum.h"

namespace kith::storage {
namespace {

std::string_view KindName(RequestKind kind) { return kind == RequestKind::kTrain ? "train" : "add"; }

std::string Checksum(std::string_view experiment, std::string_view request_id, const RequestRecord& record,
                     int64_t created) {
  return RowChecksum("requests")
      .Add(experiment)
      .Add(request_id)
      .Add(KindName(record.kind))
      .Add(record.digest)
      .Add(record.first_id)
      .Add(record.rows)
      .Add(record.total_rows)
      .Add(record.generation)
      .Add(created)
      .Finish();
}

int64_t OldestMicros(absl::Time now) { return absl::ToUnixMicros(now - kRequestLifetime); }

constexpr char kSelect[] =
    "SELECT request_id, kind, digest, first_id, rows, total_rows, generation, created, checksum FROM requests"
    " WHERE experiment = ?";

// The current row of a query that starts with kSelect.
absl::StatusOr<RequestEntry> Read(const Query& query, const Database& database, std::string_view experiment) {
  RequestEntry entry;
  entry.id = query.Text(0);
  RequestRecord& record = entry.record;
  record.kind = query.Text(1) == KindName(RequestKind::kTrain) ? RequestKind::kTrain : RequestKind::kAdd;
  record.digest = query.Text(2);
  record.first_id = query.Integer(3);
  record.rows = query.Integer(4);
  record.total_rows = query.Integer(5);
  record.generation = query.Integer(6);
  const int64_t created = query.Integer(7);
  entry.created = absl::FromUnixMicros(created);
  if (query.Text(8) == Checksum(experiment, entry.id, record, created)) return entry;
  return Damage(database.path(), absl::StrCat("the row of request ", Quoted(entry.id), " of experiment ",
                                              Quoted(experiment), " fails its checksum"));
}

}  // namespace

absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Database& database, std::string_view experiment,
                                                         std::string_view request_id, absl::Time now) {
  Query query(database, absl::StrCat(kSelect, " AND request_id = ?"), experiment, request_id);
  if (!query.Next()) {
    if (!query.status().ok()) return query.status();
    return std::nullopt;
  }
  const auto entry = Read(query, database, experiment);
  if (!entry.ok()) return entry.status();
  if (entry->created < now - kRequestLifetime) return std::nullopt;
  return entry->record;
}

absl::StatusOr<std::vector<RequestEntry>> ListRequests(const Database& database, std::string_view experiment) {
  std::vector<RequestEntry> entries;
  Query query(database, kSelect, experiment);
  while (query.Next()) {
    auto entry = Read(query, database, experiment);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  if (!query.status().ok()) return query.status();
  return entries;
}

absl::StatusOr<std::optional<RequestRecord>> FindAnswer(const Database& database, std::string_view experiment,
                                                        RequestKind kind, const std::optional<Request>& request,
                                                        absl::Time now) {
  if (!request) return std::nullopt;
  auto record = FindRequest(database, experiment, request->id, now);
  if (!record.ok() || !record->has_value()) return record;
  if ((*record)->kind == kind && (*record)->digest == request->digest) return record;
  return Error(Reason::kRequestIdReused,
               absl::StrCat("request_id ", Quoted(request->id), " was used on experiment ", Quoted(experiment),
                            " with other content; give each request an id of its own"));
}

absl::Status InsertRequest(const Database& database, std::string_view experiment, std::string_view request_id,
                           const RequestRecord& record, absl::Time now) {
  const absl::Status status = Query(database, "DELETE FROM requests WHERE created < ?", OldestMicros(now)).Run();
  if (!status.ok()) return status;
  const int64_t created = absl::ToUnixMicros(now);
  return Query(database,
               "INSERT INTO requests (experiment, request_id, kind, digest, first_id, rows, total_rows, generation,"
               " created, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               experiment, request_id, KindName(record.kind), record.digest, record.first_id, record.rows,
               record.total_rows, record.generation, created, Checksum(experiment, request_id, record, created))
      .Run();
}

}  // namespace kith::storage
