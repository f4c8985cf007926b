// From an uploaded index file to an index that the server can hold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/subprocess.h"
#include "server/experiments/memory_budget.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/storage/scratch.h"

namespace kith::experiments {

// The first argument with which kithd reads an index file instead of serving: --read-index-file FILE FOLDER MAX_BYTES.
inline constexpr char kReadIndexFlag[] = "--read-index-file";

// What that does, in the process that was started for it: unpacks the file (retrieval::UnpackIndex). Gives the exit
// code, and prints "REASON\nmessage" where it failed.
int ReadIndexFile(const std::string& file, const std::string& folder, const std::string& max_frame_bytes);

struct ImportOptions {
  std::string program = kOwnProgram;  // kithd: what reads the file
  // Of the process that reads it: memory_per_byte times the file's size, and memory_slack besides; 0: no limit, for
  // builds with sanitizers, which reserve address space without end.
  int64_t memory_per_byte = 4;
  int64_t memory_slack = int64_t{2} << 30;
  int cpu_seconds = 600;
  absl::Duration time = absl::Minutes(20);
  int64_t max_file_bytes = int64_t{4} << 30;   // larger uploads are refused
  int64_t max_frame_bytes = int64_t{4} << 30;  // so are indexes of more vectors
  // And of more than so many bytes of vectors for each byte of the file, besides a slack: a small file must not fill
  // the server's memory. A product quantiser of 8 bytes a row of 768 values makes 384 of one.
  int64_t frame_bytes_per_byte = 512;
  int64_t frame_slack = int64_t{64} << 20;
};

// An uploaded file in a folder of its own, which goes away with it.
struct IndexFile {
  storage::ScratchFolder folder;
  std::string path;
  std::string name;  // as the client calls it
  int64_t bytes = 0;
  std::string sha256;
};

struct ImportedIndex {
  std::unique_ptr<retrieval::Index> index;
  retrieval::Frames frames;          // those in it
  MemoryBudget::Reservation memory;  // of both
};

// Told that the file has been checked, then how far the recall measurement is; false stops it.
using ImportObserver = absl::FunctionRef<bool(int64_t done, int64_t total)>;

// Reads `file` in a process of its own, then what that found. BAD_INDEX for whatever is wrong with the file;
// MEMORY_BUDGET; STORAGE; INTERNAL where the process cannot be started; CANCELLED where `cancelled` or the observer
// said so.
absl::StatusOr<ImportedIndex> ReadImport(const IndexFile& file, const ImportOptions& options, MemoryBudget* budget,
                                         const std::function<bool()>& cancelled, ImportObserver on_measured);

}  // namespace kith::experiments
