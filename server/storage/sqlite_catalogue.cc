#include "server/storage/sqlite_catalogue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/addition_table.h"
#include "server/storage/append_group.h"
#include "server/storage/catalogue_faults.h"
#include "server/storage/experiment_table.h"
#include "server/storage/generation_change.h"
#include "server/storage/pin_table.h"
#include "server/storage/request_table.h"
#include "server/storage/restore_experiment.h"
#include "server/storage/schema.h"

namespace kith::storage {
namespace {

constexpr int64_t kShrinkPages = 4096;

class SqliteView : public CatalogueView {
 public:
  explicit SqliteView(Database database) : database_(std::move(database)) {}

  absl::StatusOr<std::vector<StoredExperiment>> List() const override { return ListExperiments(database_); }

  absl::StatusOr<StoredExperiment> Find(std::string_view name) const override {
    auto found = FindExperiment(database_, name);
    if (!found.ok()) return found.status();
    if (!found->has_value()) return NoExperiment(name);
    return **std::move(found);
  }

  absl::StatusOr<std::vector<AdditionEntry>> Additions(const StoredGeneration& generation) const override {
    return ListAdditions(database_, generation);
  }

  absl::Status ReadAddition(const AdditionEntry& entry, absl::Span<float> out) const override {
    return storage::ReadAddition(database_, entry, out);
  }

  absl::StatusOr<std::vector<RequestEntry>> Requests(std::string_view name) const override {
    return ListRequests(database_, name);
  }

  std::vector<absl::Status> Faults() const override { return FindFaults(database_); }

  absl::Status CopyTo(const std::string& path) const override { return database_.CopyTo(path); }

 private:
  Database database_;
};

// False where SQLite finds the table or an index of it damaged, so that rows may be missing.
absl::StatusOr<bool> IsSound(const Database& database, const char* table) {
  Query check(database, absl::StrCat("PRAGMA integrity_check(", table, ")"));
  const bool sound = check.Next() && check.Text(0) == "ok";
  if (!check.status().ok()) return check.status();
  return sound;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteCatalogue>> SqliteCatalogue::Open(const std::string& path, bool may_create) {
  auto database = OpenCatalogueDatabase(path, may_create);
  if (!database.ok()) return database.status();
  return std::unique_ptr<SqliteCatalogue>(new SqliteCatalogue(*std::move(database)));
}

absl::StatusOr<std::unique_ptr<CatalogueView>> SqliteCatalogue::View() const {
  // A connection of its own, so that reading much does not hold up the others.
  auto database = Database::Open(database_.path(), Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  // Ends with the connection.
  const absl::Status status = database->Execute("BEGIN");
  if (!status.ok()) return status;
  return std::make_unique<SqliteView>(*std::move(database));
}

absl::StatusOr<std::vector<StoredExperiment>> SqliteCatalogue::List() const { return ListExperiments(database_); }

absl::StatusOr<std::optional<StoredExperiment>> SqliteCatalogue::Find(std::string_view name) const {
  return FindExperiment(database_, name);
}

absl::StatusOr<std::optional<std::set<std::string>>> SqliteCatalogue::Snapshots() const {
  for (const char* table : {"experiments", "generations", "reigns"}) {
    const auto sound = IsSound(database_, table);
    if (!sound.ok()) return sound.status();
    if (!*sound) return std::nullopt;
  }
  const auto all = ListExperiments(database_);
  if (!all.ok()) return all.status();
  std::set<std::string> names;
  for (const StoredExperiment& experiment : *all) {
    if (!experiment.status.ok()) return std::nullopt;
    for (const StoredGeneration& generation : experiment.generations) {
      if (!generation.record.status.ok()) return std::nullopt;
      names.insert(generation.snapshot.name);
    }
  }
  return names;
}

absl::StatusOr<Catalogue::Committed> SqliteCatalogue::Commit(std::string_view name, const GenerationInfo& generation,
                                                             const SnapshotEntry& snapshot,
                                                             const std::optional<Request>& request, int keep,
                                                             absl::Time now) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto former = FindExperiment(database_, name);
  if (!former.ok()) return former.status();
  const auto answer = FindAnswer(name, RequestKind::kTrain, request, now);
  if (!answer.ok()) return answer.status();
  if (answer->has_value() && former->has_value()) {
    return Committed{{CurrentRecordOf(**former), /*repeated=*/true}, {snapshot.name}};
  }
  auto changed = AddGeneration(database_, name, *former, generation, snapshot, keep);
  if (!changed.ok()) return changed.status();
  absl::Status status;
  if (request) {
    const RequestRecord record = {RequestKind::kTrain, request->digest, 0,
                                  generation.rows,     generation.rows, generation.number};
    status = InsertRequest(database_, name, request->id, record, now);
  }
  if (status.ok()) status = transaction->Commit();
  if (!status.ok()) return status;
  return Committed{{std::move(changed->record), /*repeated=*/false}, std::move(changed->removed)};
}

std::vector<absl::StatusOr<AddRecord>> SqliteCatalogue::Append(absl::Span<const PreparedAddition* const> additions,
                                                               absl::Time now) {
  return AppendGroup(database_, additions, now);
}

absl::StatusOr<ExperimentRecord> SqliteCatalogue::Rollback(std::string_view name, std::optional<int64_t> to,
                                                           absl::Time now) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  auto record = MakeCurrent(database_, name, to, now);
  if (!record.ok()) return record;
  if (const absl::Status status = transaction->Commit(); !status.ok()) return status;
  return record;
}

absl::StatusOr<Changed> SqliteCatalogue::Fold(std::string_view name, const StoredGeneration& generation, int64_t rows,
                                              const SnapshotEntry& snapshot) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  auto changed = FoldGeneration(database_, name, generation, rows, snapshot);
  if (!changed.ok()) return changed;
  if (const absl::Status status = transaction->Commit(); !status.ok()) return status;
  return changed;
}

absl::Status SqliteCatalogue::SetPinned(std::string_view name, bool pinned) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto found = FindExperiment(database_, name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  const absl::Status status = PutPin(database_, name, pinned);
  return status.ok() ? transaction->Commit() : status;
}

absl::Status SqliteCatalogue::Forget(const StoredExperiment& experiment, const std::set<int64_t>& generations,
                                     absl::Time now) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const absl::Status status = ForgetGenerations(database_, experiment, generations, now);
  return status.ok() ? transaction->Commit() : status;
}

absl::StatusOr<Changed> SqliteCatalogue::Restore(const CatalogueView& from, const StoredExperiment& experiment,
                                                 const std::vector<SnapshotEntry>& snapshots, bool replace) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  auto changed = RestoreExperiment(database_, from, experiment, snapshots, replace);
  if (!changed.ok()) return changed;
  if (const absl::Status status = transaction->Commit(); !status.ok()) return status;
  return changed;
}

absl::StatusOr<std::vector<std::string>> SqliteCatalogue::Delete(std::string_view name) {
  auto transaction = Transaction::Begin(database_, Transaction::Kind::kWrite);
  if (!transaction.ok()) return transaction.status();
  const auto found = FindExperiment(database_, name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(name);
  absl::Status status = DeleteExperiment(database_, name);
  if (status.ok()) status = transaction->Commit();
  if (!status.ok()) return status;
  return (*found)->Snapshots();
}

absl::StatusOr<std::optional<RequestRecord>> SqliteCatalogue::FindRequest(std::string_view name,
                                                                          std::string_view request_id,
                                                                          absl::Time now) const {
  return storage::FindRequest(database_, name, request_id, now);
}

absl::StatusOr<std::optional<RequestRecord>> SqliteCatalogue::FindAnswer(std::string_view name, RequestKind kind,
                                                                         const std::optional<Request>& request,
                                                                         absl::Time now) const {
  return storage::FindAnswer(database_, name, kind, request, now);
}

absl::StatusOr<bool> SqliteCatalogue::Shrink() {
  const absl::Status status = Query(database_, absl::StrCat("PRAGMA incremental_vacuum(", kShrinkPages, ")")).Run();
  if (!status.ok()) return status;
  Query left(database_, "PRAGMA freelist_count");
  const bool more = left.Next() && left.Integer(0) > 0;
  if (!left.status().ok()) return left.status();
  return more;
}

}  // namespace kith::storage
