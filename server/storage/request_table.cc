#include "server/storage/request_table.h"

#include <string>

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

}  // namespace

absl::StatusOr<std::optional<RequestRecord>> FindRequest(const Database& database, std::string_view experiment,
                                                         std::string_view request_id, absl::Time now) {
  Query query(database,
              "SELECT kind, digest, first_id, rows, total_rows, generation, created, checksum FROM requests"
              " WHERE experiment = ? AND request_id = ?",
              experiment, request_id);
  std::optional<RequestRecord> record;
  if (query.Next()) {
    record.emplace();
    record->kind = query.Text(0) == KindName(RequestKind::kTrain) ? RequestKind::kTrain : RequestKind::kAdd;
    record->digest = query.Text(1);
    record->first_id = query.Integer(2);
    record->rows = query.Integer(3);
    record->total_rows = query.Integer(4);
    record->generation = query.Integer(5);
    const int64_t created = query.Integer(6);
    if (query.Text(7) != Checksum(experiment, request_id, *record, created)) {
      return Damage(database.path(), absl::StrCat("the row of request ", Quoted(request_id), " of experiment ",
                                                  Quoted(experiment), " fails its checksum"));
    }
    if (created < OldestMicros(now)) record.reset();
  }
  if (!query.status().ok()) return query.status();
  return record;
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
