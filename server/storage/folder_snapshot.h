// One snapshot in a folder of its own, opened for reading.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/storage/entries.h"
#include "server/storage/file.h"
#include "server/storage/manifest.h"
#include "server/storage/snapshot_store.h"
#include "server/storage/streams.h"

namespace kith::storage {

class FolderSnapshot : public Snapshot {
 public:
  // Checks the manifest against the catalogue's entry, then the sizes of the other files against the manifest.
  static absl::StatusOr<std::unique_ptr<FolderSnapshot>> Open(const std::string& folder, const SnapshotEntry& entry);

  absl::StatusOr<retrieval::Frames> ReadFrames(const GenerationInfo& info, int64_t capacity_rows) override;
  absl::Status ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read) override;
  absl::Status ReadFiles(absl::FunctionRef<absl::Status(std::string_view, int64_t, ByteSource)> take) override;

 private:
  FolderSnapshot(std::string manifest, InputFile index, InputFile frames, SnapshotFiles files)
      : manifest_(std::move(manifest)),
        index_(std::move(index)),
        frames_(std::move(frames)),
        files_(std::move(files)) {}

  std::string manifest_;
  InputFile index_;
  InputFile frames_;
  SnapshotFiles files_;
};

}  // namespace kith::storage
