// Reading a generation, and folding what was added to it into its snapshot.
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"
#include "server/storage/generation_reader.h"
#include "server/storage/outcome.h"
#include "server/storage/quoted.h"
#include "server/storage/store_state.h"

namespace kith::storage {
namespace {

// The generation asked for, or the current one.
absl::StatusOr<const StoredGeneration*> Choose(const StoredExperiment& experiment, std::optional<int64_t> number) {
  if (!number && !experiment.status.ok()) return experiment.status;
  const StoredGeneration* generation = experiment.Find(number.value_or(experiment.current));
  if (generation == nullptr) return NoGeneration(experiment, number.value_or(experiment.current));
  if (!generation->record.status.ok()) return generation->record.status;
  return generation;
}

absl::Status NotFoldable(std::string_view name, const char* why) {
  return Error(absl::StatusCode::kAborted, Reason::kInternal,
               absl::StrCat("the additions to experiment ", Quoted(name), " are not folded: ", why));
}

// An addition may be forgotten only where the new snapshot has exactly its rows. Gives how many may be.
absl::StatusOr<int> CountFoldable(std::string_view name, const CatalogueView& view, const StoredGeneration& generation,
                                  retrieval::FrameView frames) {
  if (frames.dimension != generation.record.info.dimension || frames.rows > generation.record.total_rows) {
    return NotFoldable(name, "the generation has fewer rows, or others");
  }
  const auto entries = view.Additions(generation);
  if (!entries.ok()) return entries.status();
  int count = 0;
  std::vector<float> values;
  for (const AdditionEntry& entry : *entries) {
    if (entry.first_id >= frames.rows) break;
    if (entry.first_id + entry.rows > frames.rows) return NotFoldable(name, "the frames end inside an addition");
    values.resize(static_cast<size_t>(entry.rows) * frames.dimension);
    const absl::Status status = view.ReadAddition(entry, absl::MakeSpan(values));
    if (!status.ok()) return status;
    const auto given = frames.Slice(entry.first_id, entry.rows).values();
    if (std::memcmp(given.data(), values.data(), values.size() * sizeof(float)) != 0) {
      return NotFoldable(name, "the frames are not those that were added");
    }
    ++count;
  }
  return count;
}

// A file that only has to be readable: what is read is checked on the way.
absl::Status ReadToItsEnd(std::string_view, int64_t, ByteSource source) {
  std::vector<char> piece(size_t{64} << 10);
  for (;;) {
    const auto count = source(absl::MakeSpan(piece));
    if (!count.ok()) return count.status();
    if (*count == 0) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<OpenedGeneration> Store::State::OpenGeneration(std::string_view name, std::optional<int64_t> number) {
  auto view = catalogue->View();
  if (!view.ok()) return view.status();
  const std::lock_guard<std::mutex> guard(mutex);
  auto experiment = (*view)->Find(name);
  if (!experiment.ok()) return experiment.status();
  const auto chosen = Choose(*experiment, number);
  if (!chosen.ok()) return chosen.status();
  const StoredGeneration generation = **chosen;
  auto snapshot = snapshots->Read(generation.snapshot);
  if (!snapshot.ok()) return snapshot.status();
  return OpenedGeneration{*std::move(view), *std::move(experiment), generation, *std::move(snapshot)};
}

absl::StatusOr<LoadedExperiment> Store::Load(
    std::string_view name, std::optional<int64_t> number,
    absl::FunctionRef<absl::Status(const GenerationInfo&, retrieval::FrameView, ByteSource)> read_index) {
  const auto opened = state_->OpenGeneration(name, number);
  if (!opened.ok()) return opened.status();
  auto frames = ReadGeneration(*opened->view, opened->generation, *opened->snapshot, read_index);
  if (!frames.ok()) return frames.status();
  return LoadedExperiment{RecordOf(opened->experiment, opened->generation), *std::move(frames)};
}

absl::Status Store::Verify(std::string_view name) {
  const auto opened = state_->OpenGeneration(name, std::nullopt);
  if (!opened.ok()) return opened.status();
  const absl::Status status = CheckAdditions(*opened->view, opened->generation);
  return status.ok() ? opened->snapshot->ReadFiles(ReadToItsEnd) : status;
}

absl::StatusOr<ExperimentRecord> Store::Fold(std::string_view name, int64_t number, retrieval::FrameView frames,
                                             absl::FunctionRef<absl::Status(ByteSink)> write_index) {
  const auto view = state_->catalogue->View();
  if (!view.ok()) return view.status();
  const auto experiment = (*view)->Find(name);
  if (!experiment.ok()) return experiment.status();
  const StoredGeneration* generation = experiment->Find(number);
  if (generation == nullptr) return NotFoldable(name, "the generation is gone");
  if (!generation->record.status.ok()) return generation->record.status;
  const auto foldable = CountFoldable(name, **view, *generation, frames);
  if (!foldable.ok()) return foldable.status();
  if (*foldable == 0) return Get(name);

  GenerationInfo info = generation->record.info;
  info.rows = frames.rows;
  const auto snapshot = state_->snapshots->Write(name, info, frames, write_index, nullptr);
  if (!snapshot.ok()) return snapshot.status();
  const auto changed = [&] {
    const std::lock_guard<std::mutex> guard(state_->mutex);
    return state_->catalogue->Fold(name, *generation, frames.rows, *snapshot);
  }();
  if (!changed.ok()) {
    if (!OutcomeUnknown(changed.status())) state_->RemoveSnapshots({snapshot->name});
    return changed.status();
  }
  state_->RemoveSnapshots(changed->removed);
  state_->ShrinkCatalogue();
  return changed->record;
}

}  // namespace kith::storage
