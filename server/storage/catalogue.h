// What a catalogue has to do: it knows what is committed, while the snapshots themselves lie elsewhere
// (snapshot_store.h). Each call that writes is one transaction, durable when it returns OK and without effect
// otherwise. Errors as in store.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/storage/chunks.h"
#include "server/storage/entries.h"
#include "server/storage/records.h"

namespace kith::storage {

// A catalogue as it stood at the first call, whatever is committed meanwhile. Not thread-safe.
class CatalogueView {
 public:
  virtual ~CatalogueView() = default;

  // All of them in the order of the names' bytes; damaged ones have a bad status.
  virtual absl::StatusOr<std::vector<StoredExperiment>> List() const = 0;

  // EXPERIMENT_NOT_FOUND. Damage is told by the statuses in it.
  virtual absl::StatusOr<StoredExperiment> Find(std::string_view name) const = 0;

  // See ListAdditions and ReadAddition.
  virtual absl::StatusOr<std::vector<AdditionEntry>> Additions(const StoredGeneration& generation) const = 0;
  virtual absl::Status ReadAddition(const AdditionEntry& entry, absl::Span<float> out) const = 0;

  // What was done on the experiment within kRequestLifetime or longer ago. DATA_LOSS STORAGE.
  virtual absl::StatusOr<std::vector<RequestEntry>> Requests(std::string_view name) const = 0;

  // What is wrong with it beyond what the other calls notice: its own structure, rows that belong to nothing, pins.
  virtual std::vector<absl::Status> Faults() const = 0;

  // Writes all of it as a catalogue of a data folder; there is no such file yet.
  virtual absl::Status CopyTo(const std::string& path) const = 0;
};

// An addition with its values' digests, which take a while and are not computed inside a transaction.
struct PreparedAddition {
  const Addition* addition;
  std::vector<Chunk> chunks;
};

// What a change left.
struct Changed {
  ExperimentRecord record;
  std::vector<std::string> removed;  // snapshots that the catalogue does not know any more, or never will
};

// Not thread-safe but for View().
class Catalogue {
 public:
  virtual ~Catalogue() = default;

  virtual absl::StatusOr<std::unique_ptr<CatalogueView>> View() const = 0;

  // As CatalogueView has them, at this moment.
  virtual absl::StatusOr<std::vector<StoredExperiment>> List() const = 0;
  virtual absl::StatusOr<std::optional<StoredExperiment>> Find(std::string_view name) const = 0;

  // The names of all snapshots; nothing where damage leaves that open.
  virtual absl::StatusOr<std::optional<std::set<std::string>>> Snapshots() const = 0;

  struct Committed {
    CommitRecord record;
    std::vector<std::string> removed;  // as in Changed
  };
  // Makes `generation` the current one if its number is the next, and keeps so many. Errors as
  // Store::CommitGeneration.
  virtual absl::StatusOr<Committed> Commit(std::string_view name, const GenerationInfo& generation,
                                           const SnapshotEntry& snapshot, const std::optional<Request>& request,
                                           int keep, absl::Time now) = 0;

  // All in one transaction, one answer each. Errors as Store::Append; where the transaction fails, all have its error.
  virtual std::vector<absl::StatusOr<AddRecord>> Append(absl::Span<const PreparedAddition* const> additions,
                                                        absl::Time now) = 0;

  // Errors as Store::Rollback.
  virtual absl::StatusOr<ExperimentRecord> Rollback(std::string_view name, std::optional<int64_t> to,
                                                    absl::Time now) = 0;

  // Puts `snapshot`, with the first `rows` rows, in place of the snapshot of `generation` (its id and number count),
  // and forgets the additions before row `rows`. ABORTED INTERNAL where the generation is gone, or more of it is in its
  // snapshot already.
  virtual absl::StatusOr<Changed> Fold(std::string_view name, const StoredGeneration& generation, int64_t rows,
                                       const SnapshotEntry& snapshot) = 0;

  // EXPERIMENT_NOT_FOUND.
  virtual absl::Status SetPinned(std::string_view name, bool pinned) = 0;

  // Forgets generations of the experiment, by their ids. Where the current one is among them, the first of the others
  // becomes current; without any others the experiment is deleted.
  virtual absl::Status Forget(const StoredExperiment& experiment, const std::set<int64_t>& generations,
                              absl::Time now) = 0;

  // Puts an experiment of another catalogue in, as `experiment` has it, with additions, request ids and pin;
  // `snapshots` are those that its generations get, one each, in their order. ALREADY_EXISTS BAD_PARAMETER where there
  // is one of its name, unless `replace`.
  virtual absl::StatusOr<Changed> Restore(const CatalogueView& from, const StoredExperiment& experiment,
                                          const std::vector<SnapshotEntry>& snapshots, bool replace) = 0;

  // Gives the snapshots that the catalogue does not know any more. EXPERIMENT_NOT_FOUND.
  virtual absl::StatusOr<std::vector<std::string>> Delete(std::string_view name) = 0;

  // See request_table.h.
  virtual absl::StatusOr<std::optional<RequestRecord>> FindRequest(std::string_view name, std::string_view request_id,
                                                                   absl::Time now) const = 0;
  virtual absl::StatusOr<std::optional<RequestRecord>> FindAnswer(std::string_view name, RequestKind kind,
                                                                  const std::optional<Request>& request,
                                                                  absl::Time now) const = 0;

  // Gives some of the space of what was deleted back. True while there is more.
  virtual absl::StatusOr<bool> Shrink() = 0;
};

// EXPERIMENT_NOT_FOUND.
absl::Status NoExperiment(std::string_view name);

// ALREADY_EXISTS BAD_PARAMETER; `names` is for the message.
absl::Status ExperimentsExist(std::string_view names);

// BAD_PARAMETER that names the generations there are.
absl::Status NoGeneration(const StoredExperiment& experiment, int64_t number);

}  // namespace kith::storage
