#include "server/storage/folder_snapshot.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/npy/npy.h"
#include "server/storage/chunks.h"

namespace kith::storage {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;  // several loads at once, beside what they reserve
constexpr int64_t kMaxManifestBytes = 1 << 20;

absl::Status CheckSize(const InputFile& file, const FileSummary& expected) {
  const absl::StatusOr<int64_t> size = file.Size();
  if (!size.ok()) return size.status();
  if (*size == expected.size) return absl::OkStatus();
  return Damage(file.path(), absl::StrCat("it has ", *size, " bytes instead of ", expected.size));
}

absl::Status DigestDamage(const std::string& path) { return Damage(path, "its SHA-256 is not the recorded one"); }

absl::StatusOr<std::string> ReadManifest(const std::string& path) {
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return file.status();
  const absl::StatusOr<int64_t> size = file->Size();
  if (!size.ok()) return size.status();
  if (*size > kMaxManifestBytes) return Damage(path, "it is too large");
  std::string text(static_cast<size_t>(*size), '\0');
  const absl::Status status = file->ReadExactly(absl::MakeSpan(text));
  if (!status.ok()) return status;
  return text;
}

// Hands the whole file over, then checks what was read.
absl::Status TakeFile(const char* name, const FileSummary& expected, InputFile* file,
                      absl::FunctionRef<absl::Status(std::string_view, int64_t, ByteSource)> take) {
  Sha256 sha256;
  absl::Status status = file->Rewind();
  if (!status.ok()) return status;
  status = take(name, expected.size, [&](absl::Span<char> out) {
    const absl::StatusOr<size_t> count = file->Read(out);
    if (count.ok()) sha256.Update(out.data(), *count);
    return count;
  });
  if (!status.ok()) return status;
  return sha256.Finish() == expected.sha256 ? absl::OkStatus() : DigestDamage(file->path());
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderSnapshot>> FolderSnapshot::Open(const std::string& folder,
                                                                     const SnapshotEntry& entry) {
  // All of them are opened before anything is read: the folder may be removed meanwhile.
  const std::string manifest_path = absl::StrCat(folder, "/", kManifestFile);
  absl::StatusOr<std::string> manifest = ReadManifest(manifest_path);
  if (!manifest.ok()) return manifest.status();
  absl::StatusOr<InputFile> index = InputFile::Open(absl::StrCat(folder, "/", kIndexFile));
  if (!index.ok()) return index.status();
  absl::StatusOr<InputFile> frames = InputFile::Open(absl::StrCat(folder, "/", kFramesFile));
  if (!frames.ok()) return frames.status();

  if (DigestOf(*manifest) != entry.manifest_sha256) return DigestDamage(manifest_path);
  absl::StatusOr<SnapshotFiles> files = FilesFromManifest(*manifest);
  if (!files.ok()) return Damage(manifest_path, std::string(files.status().message()));
  absl::Status status = CheckSize(*index, files->index);
  if (status.ok()) status = CheckSize(*frames, files->frames);
  if (!status.ok()) return status;
  return std::unique_ptr<FolderSnapshot>(
      new FolderSnapshot(*std::move(manifest), *std::move(index), *std::move(frames), *std::move(files)));
}

absl::StatusOr<retrieval::Frames> FolderSnapshot::ReadFrames(const GenerationInfo& info, int64_t capacity_rows) {
  const bool is_possible = info.rows >= 0 && info.dimension > 0 &&
                           info.rows <= files_.frames.size / (info.dimension * static_cast<int64_t>(sizeof(float)));
  if (!is_possible) return Damage(frames_.path(), "it is not as long as its rows");
  std::string header = npy::Header(npy::Type::kFloat32, info.rows, info.dimension);
  const size_t values = static_cast<size_t>(info.rows) * info.dimension;
  if (files_.frames.size != static_cast<int64_t>(header.size() + values * sizeof(float))) {
    return Damage(frames_.path(), "it is not as long as its rows");
  }
  retrieval::Frames frames;
  frames.dimension = info.dimension;
  frames.values.reserve(static_cast<size_t>(capacity_rows) * info.dimension);
  frames.values.resize(values);
  const absl::Span<char> bytes(reinterpret_cast<char*>(frames.values.data()), values * sizeof(float));
  absl::Status status = frames_.ReadExactly(absl::MakeSpan(header));
  if (status.ok()) status = frames_.ReadExactly(bytes);
  if (!status.ok()) return status;
  Sha256 sha256;
  sha256.Update(header.data(), header.size());
  sha256.Update(bytes.data(), bytes.size());
  if (sha256.Finish() != files_.frames.sha256) return DigestDamage(frames_.path());
  return frames;
}

absl::Status FolderSnapshot::ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read) {
  std::vector<char> piece(kPieceBytes);
  Sha256 sha256;
  for (;;) {
    const absl::StatusOr<size_t> count = index_.Read(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    sha256.Update(piece.data(), *count);
  }
  if (sha256.Finish() != files_.index.sha256) return DigestDamage(index_.path());
  const absl::Status status = index_.Rewind();
  if (!status.ok()) return status;
  return read([&](absl::Span<char> out) { return index_.Read(out); });
}

absl::Status FolderSnapshot::ReadFiles(absl::FunctionRef<absl::Status(std::string_view, int64_t, ByteSource)> take) {
  absl::Span<const char> rest = manifest_;
  const absl::Status status =
      take(kManifestFile, static_cast<int64_t>(rest.size()), [&](absl::Span<char> out) -> absl::StatusOr<size_t> {
        const size_t count = std::min(out.size(), rest.size());
        if (count > 0) std::memcpy(out.data(), rest.data(), count);
        rest.remove_prefix(count);
        return count;
      });
  if (!status.ok()) return status;
  const absl::Status frames = TakeFile(kFramesFile, files_.frames, &frames_, take);
  return frames.ok() ? TakeFile(kIndexFile, files_.index, &index_, take) : frames;
}

}  // namespace kith::storage
