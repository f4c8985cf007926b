// manifest.json: what a snapshot is and what its files have to be.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/storage/file.h"
#include "server/storage/records.h"

namespace kith::storage {

inline constexpr char kIndexFile[] = "index.faiss";
inline constexpr char kFramesFile[] = "total_fea.npy";
inline constexpr char kManifestFile[] = "manifest.json";

// The sizes and digests of a snapshot's files.
struct SnapshotFiles {
  FileSummary index;
  FileSummary frames;
};

// The text of manifest.json, indented for people.
std::string ManifestText(std::string_view experiment, const GenerationInfo& info, const SnapshotFiles& files);

// INVALID_ARGUMENT for what is not such a text, or one of a newer format.
absl::StatusOr<SnapshotFiles> FilesFromManifest(std::string_view text);

}  // namespace kith::storage
