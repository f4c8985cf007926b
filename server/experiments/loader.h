// From what is stored to a generation in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/experiments/experiment.h"
#include "server/experiments/memory_budget.h"
#include "server/storage/store.h"
#include "server/storage/streams.h"

namespace kith::experiments {

// An experiment as it would be with this generation as the current one.
storage::ExperimentRecord RecordOf(const std::string& name, const storage::GenerationRecord& generation);

// What the current generation of `record` takes, about, while it is loaded: itself, and its frames as they are read.
int64_t BytesToLoad(const storage::ExperimentRecord& record);

// A generation as it was read.
struct LoadedGeneration {
  storage::ExperimentRecord record;  // as of when it was read
  std::unique_ptr<Generation> generation;
};

// Reads a generation of `record`'s experiment (unset: the current one) whole: the snapshot's index, then its additions
// put in as they were then. Its memory is reserved before. MEMORY_BUDGET, or what Store::Load says.
absl::StatusOr<LoadedGeneration> LoadGeneration(storage::Store* store, MemoryBudget* budget,
                                                const storage::ExperimentRecord& record,
                                                std::optional<int64_t> number = std::nullopt);

// Gives the bytes of a generation's index, additions included, to `sink`: what faiss reads. Additions wait meanwhile,
// searches do not. The sink's error, or INTERNAL.
absl::Status WriteIndex(const Generation& generation, storage::ByteSink sink);

}  // namespace kith::experiments
