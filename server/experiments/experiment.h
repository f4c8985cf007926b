// What is known of an experiment: for those who search it, and for those who ask about it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/fair_shared_mutex.h"
#include "server/experiments/memory_budget.h"
#include "server/experiments/traffic.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"
#include "server/storage/records.h"

namespace kith::experiments {

// One trained result in memory. Additions extend its index; all else that a search sees is constant. Whoever holds a
// shared_ptr may search it, whatever becomes of the experiment meanwhile.
struct Generation {
  int64_t number = 0;
  retrieval::Recipe recipe;
  MemoryBudget::Reservation memory;  // what it takes; given back after the index is gone. Changed by additions only
  std::shared_ptr<Traffic> traffic;  // its experiment's
  std::unique_ptr<retrieval::Index> index;
  // Held alone by whoever appends to the index, shared by whoever reads all of it and needs that nobody does.
  mutable FairSharedMutex additions;
};

// The index of a generation, keeping all of it alive.
inline std::shared_ptr<const retrieval::Index> IndexOf(const std::shared_ptr<const Generation>& generation) {
  return {generation, generation->index.get()};
}

enum class State {
  kTraining,  // its first training is under way
  kReady,     // serves; it is loaded when it is used
  kDegraded,  // the current generation cannot be read, an earlier one serves: `failure` says why
  kFailed,    // nothing of it can be read: `failure` says why
};

// A look at an experiment at one moment.
struct Description {
  State state = State::kReady;
  absl::Status failure;
  bool training = false;
  storage::ExperimentRecord record;              // as stored; in a first training only its name counts
  std::shared_ptr<const Generation> generation;  // null where it is not in memory
  bool pinned = false;                           // is never let go of: by the catalogue or by the configuration
  absl::Time last_used = absl::InfinitePast();   // by a search or an addition, since the server's start
};

}  // namespace kith::experiments
