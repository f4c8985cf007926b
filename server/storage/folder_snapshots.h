// Snapshots in a folder of the local file system, each in one of its own: written under another name, synced, renamed.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/storage/snapshot_store.h"

namespace kith::storage {

// True for a name that a snapshot may have.
bool IsSnapshotName(std::string_view name);

class FolderSnapshots : public SnapshotStore {
 public:
  // Makes the folder where it is missing.
  static absl::StatusOr<std::unique_ptr<FolderSnapshots>> Open(std::string folder);

  absl::StatusOr<bool> HasSnapshots() const override;
  absl::Status RemoveUnknown(const std::set<std::string>& known) const override;
  absl::StatusOr<SnapshotEntry> Write(std::string_view experiment, const GenerationInfo& info,
                                      retrieval::FrameView frames,
                                      absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                      const Progress& progress) const override;
  absl::StatusOr<SnapshotEntry> Copy(const SnapshotEntry& entry, Snapshot& from) const override;
  absl::StatusOr<std::unique_ptr<Snapshot>> Read(const SnapshotEntry& entry) const override;
  void Remove(const std::string& snapshot) const override;

 private:
  explicit FolderSnapshots(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(const std::string& snapshot) const;

  // Makes the snapshot of the files that `fill` writes into the folder it is given; all or nothing.
  absl::Status Publish(const std::string& snapshot, absl::FunctionRef<absl::Status(const std::string&)> fill) const;

  std::string folder_;  // constant
};

}  // namespace kith::storage
