// SQLite in C++: a connection, a query, a transaction. Knows nothing of what is stored.
//
// Errors: UNAVAILABLE STORAGE for a full or failing disk, DATA_LOSS STORAGE for a damaged file or one with other
// tables than the SQL speaks of, INTERNAL for a broken constraint. No class here is thread-safe.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace kith::storage {

// A connection to a database file.
class Database {
 public:
  enum class Mode { kReadOnly, kReadWriteCreate };

  static absl::StatusOr<Database> Open(const std::string& path, Mode mode);

  // Runs statements that give no rows, separated by semicolons.
  absl::Status Execute(const std::string& sql);

  // Writes all of it, as the current transaction sees it, into the file `path`, which is not there yet. Not synced.
  absl::Status CopyTo(const std::string& path) const;

  const std::string& path() const { return path_; }
  sqlite3* handle() const { return handle_.get(); }

  // The error that the last call on this connection gave.
  absl::Status LastError() const;

  // A commit whose sync failed was undone here, but all of it is in the log, where the next process would find it.
  // Writes other frames in its place. Nothing is to be done where there was no such commit, or that was done.
  absl::Status UndoUnsynced();
  void NoteUnsynced() { unsynced_ = true; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  bool unsynced_ = false;
};

// One statement with its parameters bound in order. An error sticks: Next() is then false, and status() says why.
//
//   Query query(database, "SELECT name FROM t WHERE id > ?", 3);
//   while (query.Next()) Use(query.Text(0));
//   if (!query.status().ok()) return query.status();
class Query {
 public:
  // Text and blobs are not copied: they have to stay until the query is gone.
  template <class... Args>
  Query(const Database& database, std::string_view sql, const Args&... args) : Query(database, sql, Prepared{}) {
    int index = 0;
    (Bind(++index, args), ...);
  }

  // Steps to the next row.
  bool Next();
  absl::Status Run();

  // OK while there was no error.
  const absl::Status& status() const { return status_; }

  // Columns of the current row; what text and blobs point to is good until the next step. A NULL is 0 or empty.
  int64_t Integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string_view Text(int column) const;
  absl::Span<const char> Blob(int column) const;

 private:
  struct Prepared {};
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  Query(const Database& database, std::string_view sql, Prepared);
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view text);
  void Bind(int index, const std::string& text) { Bind(index, std::string_view(text)); }
  void Bind(int index, const char* text) { Bind(index, std::string_view(text)); }
  void Bind(int index, absl::Span<const char> blob);
  void Check(int result);

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  absl::Status status_;
};

// A transaction, undone unless committed.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };

  static absl::StatusOr<Transaction> Begin(Database& database, Kind kind);
  ~Transaction();
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;

  // On disk when it returns OK. After an error nothing of it is seen by anyone, but see outcome.h.
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;
};

}  // namespace kith::storage
