// What is known of an experiment: for those who search it, and for those who ask about it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"

namespace kith::experiments {

// One trained result. Additions extend its index; everything else is constant. Whoever holds a shared_ptr may search
// it, whatever becomes of the experiment meanwhile.
struct Generation {
  int64_t number = 0;
  retrieval::Recipe recipe;
  std::unique_ptr<retrieval::Index> index;
};

// The index of a generation, keeping all of it alive.
inline std::shared_ptr<const retrieval::Index> IndexOf(const std::shared_ptr<const Generation>& generation) {
  return {generation, generation->index.get()};
}

enum class State {
  kTraining,  // its first training is under way
  kReady,
  kFailed,  // could not be loaded: `failure` says why
};

// A look at an experiment at one moment.
struct Description {
  std::string name;
  State state = State::kReady;
  absl::Status failure;
  bool training = false;
  std::shared_ptr<const Generation> generation;  // null unless kReady
  absl::Time created;
  absl::Time updated;
};

}  // namespace kith::experiments
