// Snapshots: one generation each, in a folder of its own, as plain files that faiss and numpy read.
//
//   index.faiss     the faiss index
//   total_fea.npy   float32 [rows, dimension], C order: the frames that the index holds
//   manifest.json   format version, experiment, generation, recipe, build report, rows, dimension, created, and size
//   and
//                   SHA-256 of the two others; its own SHA-256 is in the catalogue
//
// Classes here are thread-safe where nothing else is said.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/storage/experiment_table.h"
#include "server/storage/file.h"
#include "server/storage/records.h"
#include "server/storage/streams.h"

namespace kith::storage {

// A snapshot opened for reading; it stays readable when its folder is removed. Not thread-safe.
class SnapshotReader {
 public:
  // Checks the manifest against the catalogue's entry, then the sizes of the other files against the manifest.
  static absl::StatusOr<SnapshotReader> Open(const std::string& folder, const SnapshotEntry& entry);

  // The frames, checked; `capacity_rows` rows are reserved. `info` is the catalogue's.
  absl::StatusOr<retrieval::Frames> ReadFrames(const GenerationInfo& info, int64_t capacity_rows);

  // Checks the whole index, then hands it to `read`.
  absl::Status ReadIndex(absl::FunctionRef<absl::Status(ByteSource)> read);

 private:
  SnapshotReader(InputFile index, FileSummary index_summary, InputFile frames, FileSummary frames_summary)
      : index_(std::move(index)),
        index_summary_(std::move(index_summary)),
        frames_(std::move(frames)),
        frames_summary_(std::move(frames_summary)) {}

  InputFile index_;
  FileSummary index_summary_;
  InputFile frames_;
  FileSummary frames_summary_;
};

// The folder of all snapshots.
class SnapshotStore {
 public:
  // Makes the folder where it is missing.
  static absl::StatusOr<SnapshotStore> Open(std::string folder);

  // True where there is a snapshot that was not merely begun.
  absl::StatusOr<bool> HasSnapshots() const;

  // Removes what was begun, and every snapshot whose folder is not among `known`; leaves alone what it did not make.
  absl::Status RemoveUnknown(const std::set<std::string>& known) const;

  // Writes a snapshot; on disk when it returns, under its final name. Nothing of it stays after an error.
  absl::StatusOr<SnapshotEntry> Write(std::string_view experiment, const GenerationInfo& info,
                                      retrieval::FrameView frames,
                                      absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                      const Progress& progress) const;

  absl::StatusOr<SnapshotReader> Read(const SnapshotEntry& entry) const;

  // What cannot be removed now is left to RemoveUnknown.
  void Remove(const std::string& snapshot) const;

 private:
  explicit SnapshotStore(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(const std::string& snapshot) const;

  std::string folder_;  // constant
};

}  // namespace kith::storage
