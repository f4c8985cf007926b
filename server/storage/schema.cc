#include "server/storage/schema.h"

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/status.h"
#include "server/storage/file.h"
#include "server/storage/reign_table.h"

namespace kith::storage {
namespace {

// "Kith" in ASCII; file(1) and we tell the file by it.
constexpr int64_t kApplicationId = 0x4b697468;

// Times are microseconds since 1970. `checksum` is the row's own, see row_checksum.h. Ids that others refer to are
// never used again, so that an orphan of a damaged file finds no new parent.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE experiments (
  name     TEXT PRIMARY KEY,
  current  INTEGER NOT NULL,  -- generations.number
  created  INTEGER NOT NULL,
  checksum TEXT NOT NULL
) STRICT;

CREATE TABLE generations (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  experiment      TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
  number          INTEGER NOT NULL,
  snapshot        TEXT NOT NULL UNIQUE,  -- the folder's name
  manifest_sha256 TEXT NOT NULL,
  bytes           INTEGER NOT NULL,      -- of the snapshot
  dimension       INTEGER NOT NULL,
  rows            INTEGER NOT NULL,      -- in the snapshot
  total_rows      INTEGER NOT NULL,      -- additions included
  recipe          TEXT NOT NULL,         -- JSON
  report          TEXT NOT NULL,         -- JSON
  created         INTEGER NOT NULL,
  updated         INTEGER NOT NULL,
  checksum        TEXT NOT NULL,
  UNIQUE (experiment, number)
) STRICT;

CREATE TABLE additions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  generation INTEGER NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
  first_id   INTEGER NOT NULL,
  rows       INTEGER NOT NULL,
  checksum   TEXT NOT NULL,
  UNIQUE (generation, first_id)
) STRICT;

-- The float32 values of an addition, cut into pieces.
CREATE TABLE addition_chunks (
  id       INTEGER PRIMARY KEY,
  addition INTEGER NOT NULL REFERENCES additions (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,  -- 0, 1, 2 ...
  sha256   TEXT NOT NULL,     -- of data
  data     BLOB NOT NULL,
  UNIQUE (addition, position)
) STRICT;

CREATE TABLE requests (
  id         INTEGER PRIMARY KEY,
  experiment TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
  request_id TEXT NOT NULL,
  kind       TEXT NOT NULL,   -- train | add
  digest     TEXT NOT NULL,
  first_id   INTEGER NOT NULL,
  rows       INTEGER NOT NULL,
  total_rows INTEGER NOT NULL,
  generation INTEGER NOT NULL,  -- generations.number
  created    INTEGER NOT NULL,
  checksum   TEXT NOT NULL,
  UNIQUE (experiment, request_id)
) STRICT;
CREATE INDEX requests_created ON requests (created);
)sql";

constexpr const char* kVersion2 = R"sql(
-- The kept generations in the order in which they became current; one row each.
CREATE TABLE reigns (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  generation INTEGER NOT NULL UNIQUE REFERENCES generations (id) ON DELETE CASCADE,
  since      INTEGER NOT NULL,
  checksum   TEXT NOT NULL
) STRICT;

CREATE TABLE pins (
  experiment TEXT PRIMARY KEY REFERENCES experiments (name) ON DELETE CASCADE,
  checksum   TEXT NOT NULL
) STRICT;
)sql";

// In version 1 every generation is a current one.
absl::Status GiveEachGenerationItsReign(Database& database) {
  Query query(database, "SELECT id, created FROM generations ORDER BY id");
  absl::Status status;
  while (status.ok() && query.Next()) {
    status = InsertReign(database, query.Integer(0), absl::FromUnixMicros(query.Integer(1)));
  }
  return status.ok() ? query.status() : status;
}

absl::Status Nothing(Database&) { return absl::OkStatus(); }

// The step from version i to i + 1. Released steps never change.
struct Step {
  const char* sql;
  absl::Status (*rest)(Database&);
};
constexpr Step kMigrations[] = {{kVersion1, Nothing}, {kVersion2, GiveEachGenerationItsReign}};
constexpr int64_t kNewestVersion = std::size(kMigrations);

absl::StatusOr<int64_t> Number(const Database& database, std::string_view sql) {
  Query query(database, sql);
  const int64_t number = query.Next() ? query.Integer(0) : 0;
  if (!query.status().ok()) return query.status();
  return number;
}

// Looks before anything is written.
absl::Status CheckOrigin(const Database& database, bool may_create) {
  const auto tables = Number(database, "SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) {
    return may_create ? absl::OkStatus()
                      : Damage(database.path(), "it is missing or empty, though the folder of snapshots is not");
  }
  const auto application = Number(database, "PRAGMA application_id");
  if (!application.ok()) return application.status();
  if (*application != kApplicationId) {
    return Error(absl::StatusCode::kFailedPrecondition, Reason::kStorage,
                 absl::StrCat(database.path(), " is no catalogue of Kith; give the server a data folder of its own"));
  }
  const auto version = Number(database, "PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (*version > kNewestVersion) {
    return Error(absl::StatusCode::kFailedPrecondition, Reason::kStorage,
                 absl::StrCat(database.path(), " has schema version ", *version, "; this Kith knows versions up to ",
                              kNewestVersion, ": run the newer Kith that wrote it"));
  }
  return absl::OkStatus();
}

// auto_vacuum counts only before the first table is made. Deleted rows are wiped only where that costs no writing.
absl::Status Configure(Database& database) {
  const absl::Status status = database.Execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA secure_delete = FAST;");
  if (!status.ok()) return status;
  Query wal(database, "PRAGMA journal_mode = WAL");
  if (wal.Next() && wal.Text(0) != "wal") {
    return Error(Reason::kStorage, absl::StrCat(database.path(), ": this file system cannot hold SQLite's write-ahead ",
                                                "log; put the data folder on a local disk"));
  }
  if (const absl::Status rest = wal.Run(); !rest.ok()) return rest;
  return database.Execute(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
      "PRAGMA journal_size_limit = 67108864;");
}

absl::Status Migrate(Database& database) {
  const auto version = Number(database, "PRAGMA user_version");
  if (!version.ok()) return version.status();
  for (int64_t step = *version; step < kNewestVersion; ++step) {
    auto transaction = Transaction::Begin(database, Transaction::Kind::kWrite);
    if (!transaction.ok()) return transaction.status();
    absl::Status status = database.Execute(absl::StrCat(kMigrations[step].sql, "PRAGMA user_version = ", step + 1, ";",
                                                        "PRAGMA application_id = ", kApplicationId, ";"));
    if (status.ok()) status = kMigrations[step].rest(database);
    if (status.ok()) status = transaction->Commit();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Database> OpenCatalogueDatabase(const std::string& path, bool may_create) {
  absl::StatusOr<Database> database = Database::Open(path, Database::Mode::kReadWriteCreate);
  if (!database.ok()) return database;
  absl::Status status = CheckOrigin(*database, may_create);
  if (status.ok()) status = Configure(*database);
  if (status.ok()) status = Migrate(*database);
  if (!status.ok()) return status;
  return database;
}

}  // namespace kith::storage
