#include "server/storage/sqlite.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/file.h"
#include "server/storage/outcome.h"

namespace kith::storage {
namespace {

constexpr int kBusyMilliseconds = 10'000;

// The errno of the last failed call on the database's file or its write-ahead log. sqlite3_system_errno() is not
// enough: what SQLite does after a failed write may change it.
int FileError(sqlite3* handle, int which_file) {
  sqlite3_file* file = nullptr;
  int error = 0;
  if (sqlite3_file_control(handle, "main", which_file, &file) == SQLITE_OK && file != nullptr && file->pMethods) {
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  return error;
}

int SystemError(sqlite3* handle) {
  for (const int error :
       {FileError(handle, SQLITE_FCNTL_JOURNAL_POINTER), FileError(handle, SQLITE_FCNTL_FILE_POINTER)}) {
    if (IsDiskFull(error)) return error;
  }
  return sqlite3_system_errno(handle);
}

absl::Status ErrorOf(const std::string& path, int extended_code, int system_error, const char* text) {
  switch (extended_code & 0xff) {
    case SQLITE_FULL:
      return WriteError("writing", path, ENOSPC);
    case SQLITE_IOERR:
      if (IsDiskFull(system_error)) return WriteError("writing", path, system_error);
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // our SQL is right, so that the file's tables are not
      return Damage(path, text);
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
      return Error(Reason::kInternal, absl::StrCat(path, ": ", text));
    default:
      break;
  }
  absl::Status status = Error(Reason::kStorage, absl::StrCat(path, ": ", text, " (SQLite error ", extended_code,
                                                             "); check the disk and that the server may write there"));
  if (extended_code == SQLITE_IOERR_FSYNC || extended_code == SQLITE_IOERR_DIR_FSYNC) {
    return WithUnknownOutcome(std::move(status));
  }
  return status;
}

}  // namespace

absl::StatusOr<Database> Database::Open(const std::string& path, Mode mode) {
  const int flags = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle == nullptr) return Error(Reason::kStorage, absl::StrCat(path, ": out of memory"));
  Database database(path, handle);
  if (result != SQLITE_OK) return database.LastError();
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return database;
}

absl::Status Database::LastError() const {
  return ErrorOf(path_, sqlite3_extended_errcode(handle()), SystemError(handle()), sqlite3_errmsg(handle()));
}

absl::Status Database::Execute(const std::string& sql) {
  const int result = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : LastError();
}

absl::Status Database::CopyTo(const std::string& path) const {
  auto copy = Open(path, Mode::kReadWriteCreate);
  if (!copy.ok()) return copy.status();
  const absl::Status status = copy->Execute("PRAGMA synchronous = OFF");
  if (!status.ok()) return status;
  sqlite3_backup* backup = sqlite3_backup_init(copy->handle(), "main", handle(), "main");
  if (backup == nullptr) return copy->LastError();
  sqlite3_backup_step(backup, -1);
  return sqlite3_backup_finish(backup) == SQLITE_OK ? absl::OkStatus() : copy->LastError();
}

absl::Status Database::UndoUnsynced() {
  if (!unsynced_) return absl::OkStatus();
  Query query(*this, "PRAGMA user_version");
  int64_t version = 0;
  while (query.Next()) version = query.Integer(0);
  if (!query.status().ok()) return query.status();
  // Setting it to what it is writes a page all the same.
  const absl::Status status = Execute(absl::StrCat("BEGIN IMMEDIATE; PRAGMA user_version = ", version, "; COMMIT"));
  unsynced_ = !status.ok();
  if (unsynced_) sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

Query::Query(const Database& database, std::string_view sql, Prepared) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  Check(sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
  statement_.reset(statement);
}

void Query::Check(int result) {
  if (result != SQLITE_OK && status_.ok()) status_ = database_.LastError();
}

void Query::Bind(int index, int64_t value) {
  if (status_.ok()) Check(sqlite3_bind_int64(statement_.get(), index, value));
}

void Query::Bind(int index, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (status_.ok()) {
    Check(sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
}

void Query::Bind(int index, absl::Span<const char> blob) {
  if (status_.ok()) Check(sqlite3_bind_blob64(statement_.get(), index, blob.data(), blob.size(), SQLITE_STATIC));
}

bool Query::Next() {
  if (!status_.ok()) return false;
  const int result = sqlite3_step(statement_.get());
  if (result != SQLITE_ROW && result != SQLITE_DONE) Check(result);
  return result == SQLITE_ROW;
}

absl::Status Query::Run() {
  while (Next()) {
  }
  return status_;
}

std::string_view Query::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text), size);
}

absl::Span<const char> Query::Blob(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database, Kind kind) {
  if (absl::Status status = database.UndoUnsynced(); !status.ok()) return status;
  const absl::Status status = database.Execute(kind == Kind::kRead ? "BEGIN" : "BEGIN IMMEDIATE");
  if (!status.ok()) return status;
  return Transaction(database);
}

Transaction::~Transaction() {
  if (database_ == nullptr || sqlite3_get_autocommit(database_->handle()) != 0) return;
  // Where even this fails, SQLite undoes the transaction at the next start.
  sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

absl::Status Transaction::Commit() {
  absl::Status status = database_->Execute("COMMIT");
  if (!OutcomeUnknown(status)) return status;
  if (sqlite3_get_autocommit(database_->handle()) == 0) {
    sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  database_->NoteUnsynced();
  return database_->UndoUnsynced().ok() ? WithKnownOutcome(std::move(status)) : status;
}

}  // namespace kith::storage
