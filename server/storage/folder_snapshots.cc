#include "server/storage/folder_snapshots.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/npy/npy.h"
#include "server/base/ids.h"
#include "server/base/status.h"
#include "server/storage/file.h"
#include "server/storage/folder_snapshot.h"
#include "server/storage/manifest.h"
#include "server/storage/quoted.h"

namespace kith::storage {
namespace {

constexpr char kTemporaryPrefix[] = "tmp-";
constexpr size_t kPieceBytes = size_t{4} << 20;

bool IsTemporaryName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kTemporaryPrefix) && IsSnapshotName({name.data(), name.size()});
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

absl::Status CopyBytes(ByteSource source, ByteSink sink) {
  std::vector<char> piece(kPieceBytes);
  for (;;) {
    const absl::StatusOr<size_t> count = source(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
    const absl::Status status = sink({piece.data(), *count});
    if (!status.ok()) return status;
  }
}

}  // namespace

bool IsSnapshotName(std::string_view name) {
  return name.size() == 32 && std::all_of(name.begin(), name.end(), absl::ascii_isxdigit);
}

absl::StatusOr<std::unique_ptr<FolderSnapshots>> FolderSnapshots::Open(std::string folder) {
  const absl::Status status = MakeFolders(folder);
  if (!status.ok()) return status;
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return WriteError("opening the folder", folder, errno);
  return std::unique_ptr<FolderSnapshots>(new FolderSnapshots(std::move(folder)));
}

std::string FolderSnapshots::PathOf(const std::string& snapshot) const { return absl::StrCat(folder_, "/", snapshot); }

absl::StatusOr<bool> FolderSnapshots::HasSnapshots() const {
  const auto names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  return std::any_of(names->begin(), names->end(), IsSnapshotName);
}

absl::Status FolderSnapshots::RemoveUnknown(const std::set<std::string>& known) const {
  const auto names = ListFolder(folder_);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (IsTemporaryName(name) || (IsSnapshotName(name) && known.count(name) == 0)) RemoveFolder(PathOf(name));
  }
  return absl::OkStatus();
}

absl::Status FolderSnapshots::Publish(const std::string& snapshot,
                                      absl::FunctionRef<absl::Status(const std::string&)> fill) const {
  const std::string final_path = PathOf(snapshot);
  const std::string path = PathOf(absl::StrCat(kTemporaryPrefix, snapshot));
  absl::Status status = MakeFolder(path);
  if (!status.ok()) return status;
  absl::Cleanup remove = [&] {
    RemoveFolder(path);
    RemoveFolder(final_path);
  };
  status = fill(path);
  if (status.ok()) status = SyncFolder(path);
  if (status.ok()) status = Rename(path, final_path);
  if (status.ok()) status = SyncFolder(folder_);
  if (status.ok()) std::move(remove).Cancel();
  return status;
}

absl::StatusOr<SnapshotEntry> FolderSnapshots::Write(std::string_view experiment, const GenerationInfo& info,
                                                     retrieval::FrameView frames,
                                                     absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                                     const Progress& progress) const {
  SnapshotEntry entry;
  entry.name = RandomId();
  const auto on_written = [&](size_t bytes) {
    entry.bytes += static_cast<int64_t>(bytes);
    if (progress) progress(entry.bytes, 0);
  };
  const absl::Status status = Publish(entry.name, [&](const std::string& path) {
    const auto write = [&](const char* name, absl::FunctionRef<absl::Status(ByteSink)> fill) {
      return WriteFile(absl::StrCat(path, "/", name), on_written, fill);
    };
    const auto frames_file = write(kFramesFile, [&](ByteSink sink) { return WriteFrames(frames, sink); });
    if (!frames_file.ok()) return frames_file.status();
    const auto index_file = write(kIndexFile, write_index);
    if (!index_file.ok()) return index_file.status();
    const std::string manifest = ManifestText(experiment, info, {*index_file, *frames_file});
    const auto manifest_file = write(kManifestFile, [&](ByteSink sink) { return sink(manifest); });
    if (manifest_file.ok()) entry.manifest_sha256 = manifest_file->sha256;
    return manifest_file.status();
  });
  if (!status.ok()) return WithSpaceNeeded(status, experiment, frames);
  return entry;
}

absl::StatusOr<SnapshotEntry> FolderSnapshots::Copy(const SnapshotEntry& entry, Snapshot& from) const {
  SnapshotEntry copy = entry;
  copy.name = RandomId();
  const absl::Status status = Publish(copy.name, [&](const std::string& path) {
    return from.ReadFiles([&](std::string_view file, int64_t, ByteSource source) {
      const auto fill = [&](ByteSink sink) { return CopyBytes(source, sink); };
      return WriteFile(
                 absl::StrCat(path, "/", std::string(file)), [](size_t) {}, fill)
          .status();
    });
  });
  if (!status.ok()) return status;
  return copy;
}

absl::StatusOr<std::unique_ptr<Snapshot>> FolderSnapshots::Read(const SnapshotEntry& entry) const {
  return FolderSnapshot::Open(PathOf(entry.name), entry);
}

void FolderSnapshots::Remove(const std::string& snapshot) const {
  // A damaged catalogue must not make this remove anything else.
  if (IsSnapshotName(snapshot)) RemoveFolder(PathOf(snapshot));
}

}  // namespace kith::storage
