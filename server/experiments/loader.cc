#include "server/experiments/loader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/retrieval/frame_store.h"
#include "server/retrieval/serialize.h"

namespace kith::experiments {
namespace {

int64_t FrameBytes(const storage::ExperimentRecord& record, int64_t rows) {
  return rows * record.generation.dimension * static_cast<int64_t>(sizeof(float));
}

}  // namespace

storage::ExperimentRecord RecordOf(const std::string& name, const storage::GenerationRecord& generation) {
  storage::ExperimentRecord record;
  record.name = name;
  record.generation = generation.info;
  record.total_rows = generation.total_rows;
  return record;
}

// A snapshot's files are index and frames as they lie in memory while it is read; an addition goes into both. An index
// that does not hold the frames themselves gets a copy of them.
int64_t BytesToLoad(const storage::ExperimentRecord& record) {
  const storage::GenerationInfo& generation = record.generation;
  const int64_t added = 2 * FrameBytes(record, record.total_rows - generation.rows);
  const bool once = retrieval::KeepsFramesOnce(generation.report.factory, generation.recipe.metric);
  return generation.bytes + added + (once ? 0 : FrameBytes(record, record.total_rows));
}

absl::StatusOr<LoadedGeneration> LoadGeneration(storage::Store* store, MemoryBudget* budget,
                                                const storage::ExperimentRecord& record,
                                                std::optional<int64_t> number) {
  auto memory = budget->Reserve(BytesToLoad(record), absl::StrCat("loading '", record.name, "'"));
  if (!memory.ok()) return memory.status();
  std::unique_ptr<retrieval::Index> index;
  const auto read_index = [&](const storage::GenerationInfo& info, retrieval::FrameView frames,
                              storage::ByteSource source) {
    auto read = retrieval::ReadIndex(source, frames, info.recipe.metric, info.report);
    if (read.ok()) index = *std::move(read);
    return read.status();
  };
  absl::StatusOr<storage::LoadedExperiment> loaded = store->Load(record.name, number, read_index);
  if (!loaded.ok()) return loaded.status();
  const storage::GenerationInfo& info = loaded->experiment.generation;
  const retrieval::FrameView all = loaded->frames.view();
  if (absl::Status status = index->Add(all.Slice(info.rows, all.rows - info.rows)); !status.ok()) return status;
  auto generation = std::make_unique<Generation>();
  generation->number = info.number;
  generation->recipe = info.recipe;
  generation->index = std::move(index);
  loaded->frames = {};
  memory->Correct(generation->index->bytes());
  generation->memory = *std::move(memory);
  return LoadedGeneration{std::move(loaded->experiment), std::move(generation)};
}

absl::Status WriteIndex(const Generation& generation, storage::ByteSink sink) {
  const std::shared_lock<FairSharedMutex> unchanged(generation.additions);
  return retrieval::WriteIndex(*generation.index, sink);
}

}  // namespace kith::experiments
