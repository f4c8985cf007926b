// What a Store holds; only for the store's own files.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/storage/append_queue.h"
#include "server/storage/catalogue.h"
#include "server/storage/snapshot_holds.h"
#include "server/storage/snapshot_store.h"
#include "server/storage/store.h"

namespace kith::storage {

// A generation that can be read to its end as it stood, whatever becomes of it.
struct OpenedGeneration {
  std::unique_ptr<CatalogueView> view;
  StoredExperiment experiment;
  StoredGeneration generation;
  std::unique_ptr<Snapshot> snapshot;
};

struct Store::State {
  State(StoreParts parts, StoreOptions options);

  // Removes them unless they are held. A snapshot is removed only under `mutex`, so that who reads opens what it found.
  void RemoveSnapshots(const std::vector<std::string>& names);
  void ShrinkCatalogue();

  // The generation asked for, or the current one. Errors as Load.
  absl::StatusOr<OpenedGeneration> OpenGeneration(std::string_view name, std::optional<int64_t> number);

  // Steps of a Restore, see store_restore.cc. The copies are in the order of the generations; all or none.
  absl::StatusOr<std::vector<SnapshotEntry>> CopySnapshots(const StoredExperiment& experiment,
                                                           const SnapshotStore& from);
  absl::StatusOr<ExperimentRecord> RestoreOne(const StoredExperiment& experiment, const CatalogueView& view,
                                              const SnapshotStore& from, bool replace);
  absl::Status CheckFree(const std::vector<StoredExperiment>& experiments);

  // Constant after construction; the snapshot store has its own synchronisation.
  const StoreOptions options;
  const std::string scratch_path;
  const std::shared_ptr<void> lock;
  const std::unique_ptr<SnapshotStore> snapshots;

  std::mutex mutex;
  const std::unique_ptr<Catalogue> catalogue;  // guarded by mutex, but for View()
  SnapshotHolds holds;                         // guarded by mutex

  AppendQueue additions;  // has its own synchronisation; commits under mutex
};

}  // namespace kith::storage
