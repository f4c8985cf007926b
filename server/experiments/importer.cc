#include "server/experiments/importer.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/retrieval/foreign_index.h"
#include "server/retrieval/platform.h"
#include "server/storage/file.h"

namespace kith::experiments {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitMemory = false;
#else
constexpr bool kLimitMemory = true;
#endif

constexpr int64_t kMaxShapeBytes = 64;
constexpr int64_t kFileSlack = 1 << 20;

int64_t MostFrameBytes(const IndexFile& file, const ImportOptions& options) {
  return std::min(options.max_frame_bytes, options.frame_bytes_per_byte * file.bytes + options.frame_slack);
}

SubprocessLimits LimitsFor(const IndexFile& file, const ImportOptions& options) {
  SubprocessLimits limits;
  if (kLimitMemory && options.memory_slack > 0) {
    limits.memory_bytes = options.memory_per_byte * file.bytes + options.memory_slack;
  }
  limits.file_bytes = std::max(MostFrameBytes(file, options), file.bytes) + kFileSlack;
  limits.cpu_seconds = options.cpu_seconds;
  limits.time = options.time;
  return limits;
}

// The text of a process that a file may have taken over.
std::string Printable(std::string text) {
  for (char& c : text) {
    if (!absl::ascii_isprint(c)) c = '?';
  }
  return text;
}

absl::Status ErrorOf(const std::string& output) {
  const size_t end = output.find('\n');
  const std::string reason = output.substr(0, end);
  const std::string message = end == std::string::npos ? "" : Printable(output.substr(end + 1));
  for (const Reason known : {Reason::kMemoryBudget, Reason::kStorage}) {
    if (reason == ReasonName(known)) return Error(known, message);
  }
  return Error(Reason::kBadIndex, message.empty() ? "the index could not be read" : message);
}

absl::Status OutcomeOf(const SubprocessResult& result, const ImportOptions& options) {
  if (result.cancelled) return Error(Reason::kCancelled, "the import was cancelled");
  if (result.timed_out || result.signal == SIGXCPU || result.signal == SIGKILL) {
    return Error(
        Reason::kMemoryBudget,
        absl::StrCat("reading the index took more than ", absl::FormatDuration(options.time), ", ", options.cpu_seconds,
                     " s of a processor, or the memory that there is; the file is damaged, "
                     "or too large: make a smaller index, or raise "
                     "training.import_seconds"));
  }
  if (result.signal != 0) {
    return Error(Reason::kBadIndex,
                 absl::StrCat("the index is damaged: reading it ended a process of its own by signal ", result.signal,
                              "; copy the file again, or make it anew"));
  }
  return result.exit_code == 0 ? absl::OkStatus() : ErrorOf(result.output);
}

// What the process left. A file that is not there is what a damaged index came to, and no damage of the storage.
absl::StatusOr<storage::InputFile> OpenUnpacked(const std::string& folder, const char* name) {
  auto file = storage::InputFile::Open(absl::StrCat(folder, "/", name));
  if (absl::IsDataLoss(file.status())) {
    return Error(Reason::kBadIndex, "reading the index gave no result; it is damaged, or of a type without support");
  }
  return file;
}

absl::StatusOr<retrieval::UnpackedShape> ReadShape(const std::string& folder) {
  auto file = OpenUnpacked(folder, retrieval::kUnpackedShape);
  if (!file.ok()) return file.status();
  std::string text(kMaxShapeBytes, '\0');
  const auto count = file->Read(absl::MakeSpan(text));
  if (!count.ok()) return count.status();
  text.resize(*count);
  return retrieval::ParseUnpackedShape(text);
}

absl::StatusOr<retrieval::Frames> ReadFrames(const std::string& folder, int64_t max_bytes) {
  const auto shape = ReadShape(folder);
  if (!shape.ok()) return shape.status();
  auto file = OpenUnpacked(folder, retrieval::kUnpackedFrames);
  if (!file.ok()) return file.status();
  const auto size = file->Size();
  if (!size.ok()) return size.status();
  const auto row_bytes = static_cast<int64_t>(sizeof(float)) * shape->dimension;
  if (*size > max_bytes || *size % row_bytes != 0 || *size / row_bytes != shape->rows) {
    return Error(Reason::kBadIndex, "reading the index gave no result that fits");
  }
  retrieval::Frames frames{shape->dimension, std::vector<float>(static_cast<size_t>(*size) / sizeof(float))};
  absl::Status status =
      file->ReadExactly({reinterpret_cast<char*>(frames.values.data()), frames.values.size() * sizeof(float)});
  if (!status.ok()) return status;
  return frames;
}

// The index, and the frames twice: as they are read, and as they are searched.
absl::StatusOr<MemoryBudget::Reservation> ReserveFor(const std::string& folder, const storage::InputFile& index,
                                                     MemoryBudget* budget) {
  const auto frames = OpenUnpacked(folder, retrieval::kUnpackedFrames);
  if (!frames.ok()) return frames.status();
  const auto frame_bytes = frames->Size();
  if (!frame_bytes.ok()) return frame_bytes.status();
  const auto index_bytes = index.Size();
  if (!index_bytes.ok()) return index_bytes.status();
  return budget->Reserve(*index_bytes + 2 * *frame_bytes, "importing this index");
}

}  // namespace

int ReadIndexFile(const std::string& file, const std::string& folder, const std::string& max_frame_bytes) {
  int64_t max_bytes = 0;
  if (!absl::SimpleAtoi(max_frame_bytes, &max_bytes)) return 2;
  retrieval::InitializeFaiss();
  const absl::Status status = retrieval::UnpackIndex(file, folder, max_bytes);
  if (status.ok()) return 0;
  std::printf("%s\n%s", ReasonOf(status).c_str(), std::string(status.message()).c_str());
  std::fflush(stdout);
  return 1;
}

absl::StatusOr<ImportedIndex> ReadImport(const IndexFile& file, const ImportOptions& options, MemoryBudget* budget,
                                         const std::function<bool()>& cancelled, ImportObserver on_measured) {
  const std::string folder = file.folder.PathOf("unpacked");
  if (absl::Status status = storage::MakeFolder(folder); !status.ok()) return status;
  const auto result =
      RunSubprocess(options.program, {kReadIndexFlag, file.path, folder, absl::StrCat(MostFrameBytes(file, options))},
                    LimitsFor(file, options), cancelled);
  if (!result.ok()) return result.status();
  if (absl::Status status = OutcomeOf(*result, options); !status.ok()) return status;

  auto source = OpenUnpacked(folder, retrieval::kUnpackedIndex);
  if (!source.ok()) return source.status();
  auto memory = ReserveFor(folder, *source, budget);
  if (!memory.ok()) return memory.status();
  auto frames = ReadFrames(folder, MostFrameBytes(file, options));
  if (!frames.ok()) return frames.status();
  ImportedIndex imported{nullptr, *std::move(frames), *std::move(memory)};
  auto index = retrieval::AdoptIndex([&](absl::Span<char> out) { return source->Read(out); }, imported.frames.view(),
                                     retrieval::NprobeInName(file.name), file.sha256, on_measured);
  if (!index.ok()) return index.status();
  imported.index = *std::move(index);
  return imported;
}

}  // namespace kith::experiments
