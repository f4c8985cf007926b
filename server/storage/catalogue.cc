#include "server/storage/catalogue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/quoted.h"
#include "server/storage/request_table.h"
#include "server/storage/schema.h"

namespace kith::storage {
namespace {

constexpr int64_t kShrinkPages = 4096;

// A damaged row's generation number is counted on from only below this.
constexpr int64_t kMaxDamagedNumber = int64_t{1} << 53;

AddRecord Answer(const RequestRecord& done) {
  return {done.first_id, done.rows, done.total_rows, done.generation, /*repeated=*/true};
}

absl::Status CheckAppend(const std::optional<CurrentGeneration>& current, std::string_view name, int64_t generation,
                         retrieval::FrameView frames) {
  if (!current) return NoExperiment(name);
  const ExperimentRecord& record = current->record;
  if (!record.status.ok()) return record.status;
  if (record.generation.number != generation) {
    return Error(absl::StatusCode::kAborted, Reason::kInternal,
                 absl::StrCat("experiment ", Quoted(name), " is at generation ", record.generation.number, ", not at ",
                              generation, "; add again"));
  }
  if (record.generation.dimension != frames.dimension) {
    return Error(Reason::kDimensionMismatch, absl::StrCat("frames of dimension ", frames.dimension, "; experiment ",
                                                          Quoted(name), " has ", record.generation.dimension));
  }
  return absl::OkStatus();
}

// False where SQLite finds the table or an index of it damaged, so that rows may be missing.
absl::StatusOr<bool> IsSound(const Database& database, const char* table) {
  Query check(database, absl::StrCat("PRAGMA integrity_check(", table, ")"));
  const bool sound = check.Next() && check.Text(0) == "ok";
  if (!check.status().ok()) return check.status();
  return sound;
}

absl::Status CheckNext(const std::optional<CurrentGeneration>& current, std::string_view name, int64_t number) {
  if (NextNumber(current) == number) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, Reason::kInternal,
               absl::StrCat("experiment ", Quoted(name), " was changed while generation ", number,
                            " was being saved; train it again"));
}

}  // namespace

absl::Status NoExperiment(std::string_view name) {
  return Error(Reason::kExperimentNotFound, absl::StrCat("there is no experiment ", Quoted(name), "; train it first"));
}

int64_t NextNumber(const std::optional<CurrentGeneration>& current) {
  if (!current) return 1;
  const int64_t number = current->record.generation.number;
  const bool believable = current->record.status.ok() || (number > 0 && number < kMaxDamagedNumber);
  return believable ? number + 1 : 1;
}

absl::StatusOr<CatalogueReader> CatalogueReader::Open(const std::string& path) {
  auto database = Database::Open(path, Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  // Ends with the connection.
  const absl::Status status = database->Execute("BEGIN");
  if (!status.ok()) return status;
  return CatalogueReader(*std::move(database));
}

absl::StatusOr<CurrentGeneration> CatalogueReader::Find(std::string_view name) const {
  auto current = FindCurrent(database_, name);
  if (!current.ok()) return current.status();
  if (!current->has_value()) return NoExperiment(name);
  if (!(*current)->record.status.ok()) return (*current)->record.status;
  return **std::move(current);
}

absl::Status CatalogueReader::ReadAdditions(const CurrentGeneration& current, retrieval::Frames* frames) const {
  return storage::ReadAdditions(database_, current, frames);
}

absl::StatusOr<Catalogue> Catalogue::Open(const std::string& path, bool may_create) {
  auto database = OpenCatalogueDatabase(path, may_create);
  if (!database.ok()) return database.status();
  return Catalogue(*std::move(database));
}

absl::StatusOr<std::vector<ExperimentRecord>> Catalogue::List() const {
  auto all = ListCurrent(database_);
  if (!all.ok()) return all.status();
  std::vector<ExperimentRecord> records;
  records.reserve(all->size());
  for (CurrentGeneration& current : *all) records.push_back(std::move(current.record));
  return records;
}

absl::StatusOr<std::optional<CurrentGeneration>> Catalogue::Find(std::string_view name) const {
  return FindCurrent(database_, name);
}

absl::StatusOr<std::optional<std::set<std::string>>> Catalogue::Snapshots() const {
  for (const char* table : {"experiments", "generations"}) {
    const auto sound = IsSound(database_, table);
    if (!sound.ok()) return sound.status();
    if (!*sound) return std::nullopt;
  }
  const auto all = ListCurrent(database_);
  if (!all.ok()) return all.status();
  std::set<std::string> folders;
  for (const CurrentGeneration& current : *all) {
    if (!current.record.status.ok()) return std::nullopt;
    folders.insert(current.snapshot.folder);
  }
  return folders;
}

absl::StatusOr<Catalogue::Committed> Catalogue::Commit(std::string_view name, const GenerationInfo& generation,
                                                       const SnapshotEntry& snapshot,
                                                       const std::optional<Request>& request, absl::Time now) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto former = FindCurrent(database_, name);
  if (!former.ok()) return former.status();
  const auto answer = FindAnswer(name, RequestKind::kTrain, request, now);
  if (!answer.ok()) return answer.status();
  if (answer->has_value() && former->has_value()) {
    return Committed{{(*former)->record, /*repeated=*/true}, {snapshot.folder}};
  }
  auto replaced = SnapshotsOf(database_, name);
  if (!replaced.ok()) return replaced.status();

  absl::Status status = CheckNext(*former, name, generation.number);
  const bool keeps_created = former->has_value() && (*former)->record.status.ok();
  const absl::Time created = keeps_created ? (*former)->record.created : generation.created;
  if (status.ok()) status = ReplaceGenerations(database_, name, created, generation, snapshot);
  if (status.ok() && request) {
    const RequestRecord record = {RequestKind::kTrain, request->digest, 0,
                                  generation.rows,     generation.rows, generation.number};
    status = InsertRequest(database_, name, request->id, record, now);
  }
  if (!status.ok()) return status;
  const auto current = FindCurrent(database_, name);
  if (!current.ok()) return current.status();
  status = transaction->Commit();
  if (!status.ok()) return status;
  return Committed{{(*current)->record, /*repeated=*/false}, *std::move(replaced)};
}

absl::StatusOr<AddRecord> Catalogue::Append(std::string_view name, int64_t generation, retrieval::FrameView frames,
                                            const std::vector<Chunk>& chunks, const std::optional<Request>& request,
                                            absl::Time now) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto answer = FindAnswer(name, RequestKind::kAdd, request, now);
  if (!answer.ok()) return answer.status();
  if (answer->has_value()) return Answer(**answer);
  const auto current = FindCurrent(database_, name);
  if (!current.ok()) return current.status();
  absl::Status status = CheckAppend(*current, name, generation, frames);
  if (!status.ok()) return status;

  AddRecord added;
  added.first_id = (*current)->record.total_rows;
  added.rows = frames.rows;
  added.total_rows = added.first_id + added.rows;
  added.generation = generation;
  status = InsertAddition(database_, (*current)->id, added.first_id, added.rows, chunks);
  if (status.ok()) status = UpdateTotalRows(database_, **current, added.total_rows, now);
  if (status.ok() && request) {
    const RequestRecord record = {RequestKind::kAdd, request->digest,  added.first_id,
                                  added.rows,        added.total_rows, added.generation};
    status = InsertRequest(database_, name, request->id, record, now);
  }
  if (status.ok()) status = transaction->Commit();
  if (!status.ok()) return status;
  return added;
}

absl::StatusOr<std::vector<std::string>> Catalogue::Delete(std::string_view name) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto current = FindCurrent(database_, name);
  if (!current.ok()) return current.status();
  if (!current->has_value()) return NoExperiment(name);
  auto folders = SnapshotsOf(database_, name);
  if (!folders.ok()) return folders;
  absl::Status status = DeleteExperiment(database_, name);
  if (status.ok()) status = transaction->Commit();
  if (!status.ok()) return status;
  return folders;
}

absl::StatusOr<std::optional<RequestRecord>> Catalogue::FindRequest(std::string_view name, std::string_view request_id,
                                                                    absl::Time now) const {
  return storage::FindRequest(database_, name, request_id, now);
}

absl::StatusOr<std::optional<RequestRecord>> Catalogue::FindAnswer(std::string_view name, RequestKind kind,
                                                                   const std::optional<Request>& request,
                                                                   absl::Time now) const {
  return storage::FindAnswer(database_, name, kind, request, now);
}

absl::StatusOr<bool> Catalogue::Shrink() {
  const absl::Status status = Query(database_, absl::StrCat("PRAGMA incremental_vacuum(", kShrinkPages, ")")).Run();
  if (!status.ok()) return status;
  Query left(database_, "PRAGMA freelist_count");
  const bool more = left.Next() && left.Integer(0) > 0;
  if (!left.status().ok()) return left.status();
  return more;
}

}  // namespace kith::storage
