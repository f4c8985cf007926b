// Opening and reading a snapshot, with the catalogue's entry that belongs to it: as damage leaves it, and as somebody
// makes it whose backup is restored, with checksums that are right.
#include <string>
#include <vector>

#include "common/npy/npy.h"
#include "server/storage/chunks.h"
#include "server/storage/folder_snapshot.h"
#include "server/storage/manifest.h"
#include "tests/fuzz/folder.h"

namespace kith::storage {
namespace {

using fuzz::Require;

constexpr int64_t kRows = 3;
constexpr int kDimension = 2;

struct Files {
  std::string index = "the index";
  std::string frames;
  std::string manifest;
};

FileSummary SummaryOf(const std::string& content) { return {static_cast<int64_t>(content.size()), DigestOf(content)}; }

std::string ManifestOf(const Files& files, const GenerationInfo& info) {
  return ManifestText("anna", info, {SummaryOf(files.index), SummaryOf(files.frames)});
}

GenerationInfo SoundInfo() {
  GenerationInfo info;
  info.number = 1;
  info.rows = kRows;
  info.dimension = kDimension;
  return info;
}

Files SoundFiles() {
  Files files;
  files.frames = npy::Header(npy::Type::kFloat32, kRows, kDimension);
  files.frames.append(kRows * kDimension * sizeof(float), '\1');
  files.manifest = ManifestOf(files, SoundInfo());
  return files;
}

void Read(const std::string& folder, const SnapshotEntry& entry, const GenerationInfo& info, const Files& files) {
  const auto snapshot = FolderSnapshot::Open(folder, entry);
  if (!snapshot.ok()) return;
  const auto frames = (*snapshot)->ReadFrames(info, info.rows);
  if (frames.ok()) {
    Require(frames->rows() == info.rows && frames->dimension == info.dimension, "frames of another shape");
  }
  std::string index;
  const absl::Status read = (*snapshot)->ReadIndex([&](ByteSource source) -> absl::Status {
    char piece[7];
    for (;;) {
      const auto count = source(absl::MakeSpan(piece));
      if (!count.ok()) return count.status();
      if (*count == 0) return absl::OkStatus();
      index.append(piece, *count);
    }
  });
  if (read.ok()) Require(index == files.index, "another index than is stored");
}

}  // namespace
}  // namespace kith::storage

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kith::storage;  // NOLINT(google-build-using-namespace): the function has to be outside of it
  static const kith::fuzz::Folder folder;
  kith::fuzz::Input input(data, size);
  Files files = SoundFiles();
  GenerationInfo info = SoundInfo();
  const uint8_t kind = input.Byte();
  if ((kind & 1) != 0) {
    info.rows = static_cast<int64_t>(input.Number(8));
    info.dimension = static_cast<int>(input.Number(4));
  }
  if ((kind & 2) != 0) kith::fuzz::Change(&input, &files.index);
  if ((kind & 4) != 0) kith::fuzz::Change(&input, &files.frames);
  if ((kind & 8) != 0) files.manifest = ManifestOf(files, info);
  SnapshotEntry entry{"snapshot", DigestOf(files.manifest), 0};
  while (!input.empty()) kith::fuzz::Change(&input, &files.manifest);
  if ((kind & 16) != 0) entry.manifest_sha256 = DigestOf(files.manifest);
  kith::fuzz::WriteFile(folder.Path(kIndexFile), files.index);
  kith::fuzz::WriteFile(folder.Path(kFramesFile), files.frames);
  kith::fuzz::WriteFile(folder.Path(kManifestFile), files.manifest);
  Read(folder.Path(""), entry, info, files);
  return 0;
}
