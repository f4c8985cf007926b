// The durable state of a server: which experiments there are, their generations, and what was added to them.
//
// A data folder holds
//
//   lock                         held by the process that uses the folder, see lock.h
//   catalogue.sqlite             experiments, generations, additions not in a snapshot, request ids: catalogue.h
//   snapshots/<random id>/       one generation as faiss and numpy read it: snapshot_store.h
//     index.faiss
//     total_fea.npy              float32 [rows, dimension]
//     manifest.json              what it is, and each file's size and SHA-256
//   scratch/<random id>/         files under way, see scratch.h; emptied at start
//
// Errors. UNAVAILABLE STORAGE: the disk is full or failing; nothing was changed. DATA_LOSS STORAGE: what is stored is
// damaged; the message names the file and what to do. The other codes are named at the functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/recipe.h"
#include "server/storage/records.h"
#include "server/storage/scratch.h"
#include "server/storage/streams.h"

namespace kith::storage {

struct StoreOptions {
  std::function<absl::Time()> now = absl::Now;
  int keep_generations = 2;  // of each experiment, the current one included; 1 or more
  // Told of what was damaged and could be put right at the opening, in a sentence.
  std::function<void(const std::string& what)> on_repair = nullptr;
};

class Catalogue;
class SnapshotStore;

// What a store is made of.
struct StoreParts {
  StoreParts();
  ~StoreParts();
  StoreParts(StoreParts&&) noexcept;

  std::unique_ptr<Catalogue> catalogue;
  std::unique_ptr<SnapshotStore> snapshots;
  std::string scratch_path;    // a folder that is there
  std::shared_ptr<void> lock;  // let go with the store
};

// Thread-safe. Writing and reading of snapshots do not hold up the other calls.
class Store {
 public:
  // Takes the data folder, makes what is missing, and removes what was never committed. UNAVAILABLE STORAGE where the
  // folder cannot be made or written, or another process (named in the message) uses it; FAILED_PRECONDITION STORAGE
  // where a newer version of Kith wrote it.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& data_dir, StoreOptions options = {});

  // Of parts that are open already; removes the snapshots that the catalogue does not know.
  static absl::StatusOr<std::unique_ptr<Store>> Make(StoreParts parts, StoreOptions options);

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // All experiments in the order of their names' bytes, from the catalogue alone.
  absl::StatusOr<std::vector<ExperimentRecord>> List();

  // EXPERIMENT_NOT_FOUND.
  absl::StatusOr<ExperimentRecord> Get(std::string_view name);

  // Writes a new generation of the experiment (or its first) and makes it the current one; all or nothing. The
  // generations that were current last are kept, with what was added to them, as many as keep_generations says.
  // `frames` is what the index holds, at least one row. `write_index` gives the index's bytes to the sink; its error
  // ends the call and is the call's, unless the sink failed first.
  //
  // REQUEST_ID_REUSED where the request id was used with another digest or by an Append; BAD_PARAMETER for a bad name
  // or no rows; ABORTED INTERNAL where another generation was committed, or the experiment deleted, meanwhile.
  absl::StatusOr<CommitRecord> CommitGeneration(std::string_view name, const retrieval::Recipe& recipe,
                                                const retrieval::BuildReport& report, retrieval::FrameView frames,
                                                absl::FunctionRef<absl::Status(ByteSink)> write_index,
                                                const Progress& progress = nullptr,
                                                const std::optional<Request>& request = std::nullopt);

  // Adds rows; one answer for each addition, in their order. Each is all or nothing and durable when this returns; a
  // fault of one leaves the others whole. All that wait at the same time, those of other callers too, share one
  // transaction.
  //
  // EXPERIMENT_NOT_FOUND; REQUEST_ID_REUSED as above; DIMENSION_MISMATCH; EMPTY_BATCH; ABORTED INTERNAL where the
  // current generation is another.
  std::vector<absl::StatusOr<AddRecord>> Append(absl::Span<const Addition> additions);

  // The generations that are kept, the one that became current last first. EXPERIMENT_NOT_FOUND.
  absl::StatusOr<std::vector<GenerationRecord>> Generations(std::string_view name);

  // Makes a kept generation the current one, as it last was, its additions included; unset: the one that was current
  // before. The generation that is current already stays so.
  //
  // EXPERIMENT_NOT_FOUND; BAD_PARAMETER, which names those there are, where there is no such generation.
  absl::StatusOr<ExperimentRecord> Rollback(std::string_view name, std::optional<int64_t> to);

  // Reads a generation, the current one where `generation` is unset, all of it checked against its checksums.
  // `read_index` is called once, with the frames that the index holds, after the index's bytes were verified, and its
  // error ends the call. A generation that is removed meanwhile is still read to its end as it stood.
  //
  // EXPERIMENT_NOT_FOUND; BAD_PARAMETER where there is no such generation.
  absl::StatusOr<LoadedExperiment> Load(
      std::string_view name, std::optional<int64_t> generation,
      absl::FunctionRef<absl::Status(const GenerationInfo&, retrieval::FrameView, ByteSource)> read_index);

  // Reads the current generation whole and checks all of it, as Load does, but for what the index means. Keeps nothing
  // of it in memory. EXPERIMENT_NOT_FOUND.
  absl::Status Verify(std::string_view name);

  // Writes a snapshot of the first frames.rows rows of `generation` in place of its snapshot and forgets the additions
  // that are in it; those after them stay, as does the generation's number. Nothing is done where no addition would be
  // forgotten. `write_index` as for CommitGeneration.
  //
  // EXPERIMENT_NOT_FOUND; ABORTED INTERNAL where the generation is gone, has fewer rows, or other ones than `frames`.
  absl::StatusOr<ExperimentRecord> Fold(std::string_view name, int64_t generation, retrieval::FrameView frames,
                                        absl::FunctionRef<absl::Status(ByteSink)> write_index);

  // EXPERIMENT_NOT_FOUND.
  absl::Status SetPinned(std::string_view name, bool pinned);

  // Deletes the experiment, its generations, additions and request ids at once. EXPERIMENT_NOT_FOUND.
  absl::Status Delete(std::string_view name);

  // Gives a tar of the data folder as it stands at one moment to the sink, while all else goes on: unpacked it is a
  // data folder. What it refers to is not removed meanwhile. The sink's error ends the call. Generations that turn out
  // damaged are left out, and named; where that is the current one, the sound one that was current last is in its place
  // there, as after a rollback.
  absl::StatusOr<BackupSummary> WriteBackup(ByteSink sink);

  // Puts the experiments of such a tar into this store, with their kept generations, additions, request ids and pins;
  // each experiment whole or not at all. With `replace` they take the place of experiments of the same names.
  // `before` is told all their names before anything is changed, and its error ends the call; `on_restored` is told of
  // each that was put in.
  //
  // ALREADY_EXISTS BAD_PARAMETER, with their names, where some exist and `replace` is false; INVALID_ARGUMENT
  // BAD_PARAMETER where it is no such tar; DATA_LOSS STORAGE where something in it is damaged. Of the last, experiments
  // that were put in before stay.
  absl::Status Restore(const std::string& tar_path, bool replace,
                       absl::FunctionRef<absl::Status(const std::vector<std::string>&)> before,
                       absl::FunctionRef<void(const ExperimentRecord&)> on_restored);

  // A folder for files that are under way. UNAVAILABLE STORAGE.
  absl::StatusOr<ScratchFolder> MakeScratch() const;

  // What the request was answered with, if it was done within kRequestLifetime and its experiment not deleted since.
  absl::StatusOr<std::optional<RequestRecord>> FindRequest(std::string_view name, std::string_view request_id);

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace kith::storage
