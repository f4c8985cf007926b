// How far a training or import is.
#pragma once

#include <cstdint>
#include <string>

namespace kith::experiments {

enum class Phase {
  kQueued,       // trainings ahead of this one
  kChecking,     // an index file, read in a process of its own; not counted
  kCompressing,  // steps of mini-batch k-means, at most
  kExpanding,    // rows
  kTraining,     // k-means iterations
  kAdding,       // rows
  kMeasuring,    // steps of the recall measurement
  kSaving,       // bytes
};

// In lower case: "compressing".
const char* PhaseName(Phase phase);

// A look at one at one moment.
struct TrainingProgress {
  std::string experiment;
  bool is_import = false;
  bool running = false;  // otherwise it waits for its turn
  Phase phase = Phase::kQueued;
  int64_t done = 0;    // of this phase
  int64_t total = 0;   // 0 where it is not known
  double seconds = 0;  // since its turn came
};

}  // namespace kith::experiments
