// The catalogue as a SQLite file. Several of these of one file may be used at the same time.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/storage/catalogue.h"
#include "server/storage/sqlite.h"

namespace kith::storage {

class SqliteCatalogue : public Catalogue {
 public:
  // See OpenCatalogueDatabase.
  static absl::StatusOr<std::unique_ptr<SqliteCatalogue>> Open(const std::string& path, bool may_create);

  absl::StatusOr<std::unique_ptr<CatalogueView>> View() const override;
  absl::StatusOr<std::vector<StoredExperiment>> List() const override;
  absl::StatusOr<std::optional<StoredExperiment>> Find(std::string_view name) const override;
  absl::StatusOr<std::optional<std::set<std::string>>> Snapshots() const override;
  absl::StatusOr<Committed> Commit(std::string_view name, const GenerationInfo& generation,
                                   const SnapshotEntry& snapshot, const std::optional<Request>& request, int keep,
                                   absl::Time now) override;
  std::vector<absl::StatusOr<AddRecord>> Append(absl::Span<const PreparedAddition* const> additions,
                                                absl::Time now) override;
  absl::StatusOr<ExperimentRecord> Rollback(std::string_view name, std::optional<int64_t> to, absl::Time now) override;
  absl::StatusOr<Changed> Fold(std::string_view name, const StoredGeneration& generation, int64_t rows,
                               const SnapshotEntry& snapshot) override;
  absl::Status SetPinned(std::string_view name, bool pinned) override;
  absl::Status Forget(const StoredExperiment& experiment, const std::set<int64_t>& generations,
                      absl::Time now) override;
  absl::StatusOr<Changed> Restore(const CatalogueView& from, const StoredExperiment& experiment,
                                  const std::vector<SnapshotEntry>& snapshots, bool replace) override;
  absl::StatusOr<std::vector<std::string>> Delete(std::string_view name) override;
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(std::string_view name, std::string_view request_id,
                                                           absl::Time now) const override;
  absl::StatusOr<std::optional<RequestRecord>> FindAnswer(std::string_view name, RequestKind kind,
                                                          const std::optional<Request>& request,
                                                          absl::Time now) const override;
  absl::StatusOr<bool> Shrink() override;

 private:
  explicit SqliteCatalogue(Database database) : database_(std::move(database)) {}

  Database database_;
};

}  // namespace kith::storage
