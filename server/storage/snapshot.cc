#include "server/storage/snapshot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/npy/npy.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/manifest.h"
#include "server/storage/quoted.h"

namespace kith::storage {
namespace {

constexpr char kTemporaryPrefix[] = "tmp-";
constexpr size_t kPieceBytes = size_t{4} << 20;
constexpr int64_t kMaxManifestBytes = 1 << 20;

bool IsSnapshotName(absl::string_view name) {
  return name.size() == 32 && std::all_of(name.begin(), name.end(), absl::ascii_isxdigit);
}

bool IsTemporaryName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kTemporaryPrefix) && IsSnapshotName(name);
}

absl::Span<const char> BytesOf(retrieval::FrameView frames) {
  return {reinterpret_cast<const char*>(frames.data), frames.size() * sizeof(float)};
}

// Writes one file of a snapshot; `fill` gives its bytes to the sink. An error of the sink counts before one of `fill`,
// which may not have understood it.
absl::StatusOr<FileSummary> WriteFile(const std::string& path, absl::FunctionRef<void(size_t)> on_written,
                                      absl::FunctionRef<absl::Status(ByteSink)> fill) {
  absl::StatusOr<OutputFile> file = OutputFile::Create(path);
  if (!file.ok()) return file.status();
  absl::Status sink_status;
  const auto sink = [&](absl::Span<const char> bytes) {
    sink_status = file->Write(bytes);
    if (sink_status.ok()) on_written(bytes.size());
    return sink_status;
  };
  const absl::Status fill_status = fill(sink);
  if (!sink_status.ok()) return sink_status;
  if (!fill_status.ok()) return fill_status;
  return file->Finish();
}

absl::Status WriteFrames(retrieval::FrameView frames, ByteSink sink) {
  absl::Status status = sink(npy::Header(npy::Type::kFloat32, frames.rows, frames.dimension));
  for (absl::Span<const char> rest = BytesOf(frames); status.ok() && !rest.empty();) {
    const absl::Span<const char> piece = rest.first(std::min(rest.size(), kPieceBytes));
    status = sink(piece);
    rest.remove_prefix(piece.size());
  }
  return status;
}

// Says how much room is needed where the disk gave out.
absl::Status WithSpaceNeeded(const absl::Status& status, std::string_view experiment, retrieval::FrameView frames) {
  if (status.code() != absl::StatusCode::kUnavailable || ReasonOf(status) != ReasonName(Reason::kStorage))
    return status;
  return Error(Reason::kStorage, absl::StrCat(status.message(), " (saving experiment ", Quoted(experiment), " takes ",
                                              BytesOf(frames).size(), " bytes for its frames, and its index besides)"));
}

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

std::string DigestOf(absl::Span<const char> bytes) {
  Sha256 sha256;
  sha256.Update(bytes.data(), bytes.size());
  return sha256.Finish();
}

}  // namespace

absl::StatusOr<SnapshotReader> SnapshotReader::Open(const std::string& folder, const SnapshotEntry& entry) {
  // All of them are opened before anything is read: the folder may be removed meanwhile.
  const std::string manifest_path = absl::StrCat(folder, "/", kManifestFile);
  const absl::StatusOr<std::string> manifest = ReadManifest(manifest_path);
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
  return SnapshotReader(*std::move(index), std::move(files->index), *std::move(frames), std::move(files->frames));
}

absl::StatusOr<retrieval::Frames> SnapshotReader::ReadFrames(const GenerationInfo& info, int64_t capacity_rows) {
  std::string header = npy::Header(npy::Type::kFloat32, info.rows, info.dimension);
  const size_t values = static_cast<size_t>(info.rows) * info.dimension;
  if (frames_summary_.size != static_cast<int64_t>(header.size() + values * sizeof(float))) {
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
  if (sha256.Finish() != frames_summary_.sha256) return DigestDamage(frames_.path());
  return frames;
}

absl::Status SnapshotReader::ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read) {
  std::vector<char> piece(kPieceBytes);
  Sha256 sha256;
  for (;;) {
    const absl::StatusOr<size_t> count = index_.Read(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) break;
    sha256.Update(piece.data(), *count);
  }
  if (sha256.Finish() != index_summary_.sha256) return DigestDamage(index_.path());
  const absl::Status status = index_.Rewind();
  if (!status.ok()) return status;
  return read([&](absl::Span<char> out) { return index_.Read(out); });
}

absl::StatusOr<SnapshotStore> SnapshotStore::Open(std::string folder) {
  const absl::Status status = MakeFolders(folder);
  if (!status.ok()) return status;
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return WriteError("opening the folder", folder, errno);
  return SnapshotStore(std::move(folder));
}

std::string SnapshotStore::PathOf(const std::string& snapshot) const { return absl::StrCat(folder_, "/", snapshot); }

absl::StatusOr<bool> SnapshotStore::HasSnapshots() const {
  const auto names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  return std::any_of(names->begin(), names->end(), IsSnapshotName);
}

absl::Status SnapshotStore::RemoveUnknown(const std::set<std::string>& known) const {
  const auto names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (IsTemporaryName(name) || (IsSnapshotName(name) && known.count(name) == 0)) RemoveFolder(PathOf(name));
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotEntry> SnapshotStore::Write(std::string_view experiment, const GenerationInfo& info,
                                                   retrieval::FrameView frames,
                                                   absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                                   const Progress& progress) const {
  SnapshotEntry entry;
  entry.folder = RandomId();
  const std::string final_path = PathOf(entry.folder);
  const std::string path = PathOf(absl::StrCat(kTemporaryPrefix, entry.folder));
  const auto on_written = [&](size_t bytes) {
    entry.bytes += static_cast<int64_t>(bytes);
    if (progress) progress(entry.bytes, 0);
  };
  const auto write = [&](const char* name, absl::FunctionRef<absl::Status(ByteSink)> fill) {
    return WriteFile(absl::StrCat(path, "/", name), on_written, fill);
  };
  const auto failed = [&](const absl::Status& status) { return WithSpaceNeeded(status, experiment, frames); };

  absl::Status status = MakeFolder(path);
  if (!status.ok()) return failed(status);
  absl::Cleanup remove = [&] {
    RemoveFolder(path);
    RemoveFolder(final_path);
  };
  const auto frames_file = write(kFramesFile, [&](ByteSink sink) { return WriteFrames(frames, sink); });
  if (!frames_file.ok()) return failed(frames_file.status());
  const auto index_file = write(kIndexFile, write_index);
  if (!index_file.ok()) return failed(index_file.status());
  const std::string manifest = ManifestText(experiment, info, {*index_file, *frames_file});
  const auto manifest_file = write(kManifestFile, [&](ByteSink sink) { return sink(manifest); });
  if (!manifest_file.ok()) return failed(manifest_file.status());
  entry.manifest_sha256 = manifest_file->sha256;

  status = SyncFolder(path);
  if (status.ok()) status = Rename(path, final_path);
  if (status.ok()) status = SyncFolder(folder_);
  if (!status.ok()) return failed(status);
  std::move(remove).Cancel();
  return entry;
}

absl::StatusOr<SnapshotReader> SnapshotStore::Read(const SnapshotEntry& entry) const {
  return SnapshotReader::Open(PathOf(entry.folder), entry);
}

void SnapshotStore::Remove(const std::string& snapshot) const {
  // A damaged catalogue must not make this remove anything else.
  if (IsSnapshotName(snapshot)) RemoveFolder(PathOf(snapshot));
}

}  // namespace kith::storage
