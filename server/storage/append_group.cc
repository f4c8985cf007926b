#include "server/storage/append_group.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/addition_table.h"
#include "server/storage/experiment_table.h"
#include "server/storage/generation_table.h"
#include "server/storage/quoted.h"
#include "server/storage/request_table.h"

namespace kith::storage {
namespace {

using Answers = std::vector<absl::StatusOr<AddRecord>>;

AddRecord RepeatedAnswer(const RequestRecord& done) {
  return {done.first_id, done.rows, done.total_rows, done.generation, /*repeated=*/true};
}

// The current generation, where the addition fits it.
absl::StatusOr<StoredGeneration> Target(const Database& database, const Addition& addition) {
  const auto found = FindExperiment(database, addition.name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return NoExperiment(addition.name);
  const StoredExperiment& experiment = **found;
  if (!experiment.status.ok()) return experiment.status;
  const StoredGeneration& current = experiment.generations.front();
  const GenerationInfo& info = current.record.info;
  if (!current.record.status.ok()) return current.record.status;
  if (info.number != addition.generation) {
    return Error(absl::StatusCode::kAborted, Reason::kInternal,
                 absl::StrCat("experiment ", Quoted(addition.name), " is at generation ", info.number, ", not at ",
                              addition.generation, "; add again"));
  }
  if (info.dimension != addition.frames.dimension) {
    return Error(Reason::kDimensionMismatch,
                 absl::StrCat("frames of dimension ", addition.frames.dimension, "; experiment ", Quoted(addition.name),
                              " has ", info.dimension));
  }
  return current;
}

absl::StatusOr<AddRecord> AppendOne(const Database& database, const PreparedAddition& prepared, absl::Time now) {
  const Addition& addition = *prepared.addition;
  const auto answer = FindAnswer(database, addition.name, RequestKind::kAdd, addition.request, now);
  if (!answer.ok()) return answer.status();
  if (answer->has_value()) return RepeatedAnswer(**answer);
  auto generation = Target(database, addition);
  if (!generation.ok()) return generation.status();

  AddRecord added;
  added.first_id = generation->record.total_rows;
  added.rows = addition.frames.rows;
  added.total_rows = added.first_id + added.rows;
  added.generation = addition.generation;
  generation->record.total_rows = added.total_rows;
  generation->record.updated = now;
  absl::Status status = InsertAddition(database, generation->id, added.first_id, added.rows, prepared.chunks);
  if (status.ok()) status = UpdateGeneration(database, addition.name, *generation);
  if (status.ok() && addition.request) {
    const RequestRecord record = {RequestKind::kAdd, addition.request->digest, added.first_id,
                                  added.rows,        added.total_rows,         added.generation};
    status = InsertRequest(database, addition.name, addition.request->id, record, now);
  }
  if (!status.ok()) return status;
  return added;
}

// An error of its own is in the answer; the status is that of the whole transaction.
absl::Status AppendInSavepoint(Database& database, const PreparedAddition& prepared, absl::Time now, Answers* answers) {
  const absl::Status begun = database.Execute("SAVEPOINT addition");
  if (!begun.ok()) return begun;
  answers->push_back(AppendOne(database, prepared, now));
  const absl::Status& status = answers->back().status();
  if (status.ok()) return database.Execute("RELEASE addition");
  // On a full disk SQLite may have undone all of it by itself.
  if (sqlite3_get_autocommit(database.handle()) != 0) return status;
  return database.Execute("ROLLBACK TO addition; RELEASE addition");
}

}  // namespace

std::vector<absl::StatusOr<AddRecord>> AppendGroup(Database& database,
                                                   absl::Span<const PreparedAddition* const> additions,
                                                   absl::Time now) {
  Answers answers;
  answers.reserve(additions.size());
  auto transaction = Transaction::Begin(database, Transaction::Kind::kWrite);
  absl::Status status = transaction.status();
  for (size_t i = 0; i < additions.size() && status.ok(); ++i) {
    status = AppendInSavepoint(database, *additions[i], now, &answers);
  }
  if (status.ok()) status = transaction->Commit();
  if (!status.ok()) answers.assign(additions.size(), status);
  return answers;
}

}  // namespace kith::storage
