// What a store of snapshots has to do. A snapshot is one generation as plain files:
//
//   index.faiss     the faiss index
//   total_fea.npy   float32 [rows, dimension], C order: the frames that the index holds
//   manifest.json   format version, experiment, generation, recipe, build report, rows, dimension, created, and size
//   and
//                   SHA-256 of the two others; its own SHA-256 is in the catalogue
//
// A snapshot never changes, and its name is never used again. Errors as in store.h.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/storage/entries.h"
#include "server/storage/records.h"
#include "server/storage/streams.h"

namespace kith::storage {

// A snapshot opened for reading; it stays readable when it is removed. Not thread-safe.
class Snapshot {
 public:
  virtual ~Snapshot() = default;

  // The frames, checked; `capacity_rows` rows are reserved. `info` is the catalogue's.
  virtual absl::StatusOr<retrieval::Frames> ReadFrames(const GenerationInfo& info, int64_t capacity_rows) = 0;

  // Checks the whole index, then hands it to `read`.
  virtual absl::Status ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read) = 0;

  // Hands over each file as it is stored; what was read is checked at the end of each. `take` reads all of it.
  virtual absl::Status ReadFiles(
      absl::FunctionRef<absl::Status(std::string_view file, int64_t size, ByteSource source)> take) = 0;
};

// Thread-safe.
class SnapshotStore {
 public:
  virtual ~SnapshotStore() = default;

  // True where there is a snapshot that was not merely begun.
  virtual absl::StatusOr<bool> HasSnapshots() const = 0;

  // Removes what was begun, and every snapshot that is not among `known`; leaves alone what it did not make.
  virtual absl::Status RemoveUnknown(const std::set<std::string>& known) const = 0;

  // Writes a snapshot; durable when it returns. Nothing of it stays after an error.
  virtual absl::StatusOr<SnapshotEntry> Write(std::string_view experiment, const GenerationInfo& info,
                                              retrieval::FrameView frames,
                                              absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                              const Progress& progress) const = 0;

  // The same with the files of another one, which may be of another store.
  virtual absl::StatusOr<SnapshotEntry> Copy(const SnapshotEntry& entry, Snapshot& from) const = 0;

  // Opens it, its manifest checked against the entry.
  virtual absl::StatusOr<std::unique_ptr<Snapshot>> Read(const SnapshotEntry& entry) const = 0;

  // What cannot be removed now is left to RemoveUnknown.
  virtual void Remove(const std::string& snapshot) const = 0;
};

}  // namespace kith::storage
