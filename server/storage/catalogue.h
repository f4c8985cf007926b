// The catalogue: what is committed. Each call that writes is one transaction, on disk when it returns OK.
//
// Not thread-safe; several Catalogues and CatalogueReaders of one file may be used at the same time. Errors as in
// store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/storage/addition_table.h"
#include "server/storage/experiment_table.h"
#include "server/storage/records.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

// The catalogue as it stood at the first call, whatever is committed meanwhile.
class CatalogueReader {
 public:
  static absl::StatusOr<CatalogueReader> Open(const std::string& path);

  // EXPERIMENT_NOT_FOUND; DATA_LOSS STORAGE where its row is damaged.
  absl::StatusOr<CurrentGeneration> Find(std::string_view name) const;

  // See addition_table.h.
  absl::Status ReadAdditions(const CurrentGeneration& current, retrieval::Frames* frames) const;

 private:
  CatalogueReader(Database database) : database_(std::move(database)) {}

  Database database_;
};

class Catalogue {
 public:
  // See OpenCatalogueDatabase.
  static absl::StatusOr<Catalogue> Open(const std::string& path, bool may_create);

  absl::StatusOr<std::vector<ExperimentRecord>> List() const;

  // Damaged rows have a bad record.status.
  absl::StatusOr<std::optional<CurrentGeneration>> Find(std::string_view name) const;

  // The folders of all snapshots; nothing where damage leaves that open.
  absl::StatusOr<std::optional<std::set<std::string>>> Snapshots() const;

  struct Committed {
    CommitRecord record;
    std::vector<std::string> removed;  // snapshots that the catalogue does not know any more, or never will
  };
  // Makes `generation` the current one if its number is the next. Errors as Store::CommitGeneration.
  absl::StatusOr<Committed> Commit(std::string_view name, const GenerationInfo& generation,
                                   const SnapshotEntry& snapshot, const std::optional<Request>& request,
                                   absl::Time now);

  // Errors as Store::Append.
  absl::StatusOr<AddRecord> Append(std::string_view name, int64_t generation, retrieval::FrameView frames,
                                   const std::vector<Chunk>& chunks, const std::optional<Request>& request,
                                   absl::Time now);

  // Gives the snapshots that the catalogue does not know any more. EXPERIMENT_NOT_FOUND.
  absl::StatusOr<std::vector<std::string>> Delete(std::string_view name);

  // See request_table.h.
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(std::string_view name, std::string_view request_id,
                                                           absl::Time now) const;
  absl::StatusOr<std::optional<RequestRecord>> FindAnswer(std::string_view name, RequestKind kind,
                                                          const std::optional<Request>& request, absl::Time now) const;

  // Gives some of the space of deleted rows back to the file system. True while there is more.
  absl::StatusOr<bool> Shrink();

 private:
  explicit Catalogue(Database database) : database_(std::move(database)) {}

  Database database_;
};

// EXPERIMENT_NOT_FOUND.
absl::Status NoExperiment(std::string_view name);

// The number that the experiment's next generation gets.
int64_t NextNumber(const std::optional<CurrentGeneration>& current);

}  // namespace kith::storage
