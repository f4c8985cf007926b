#include "server/experiments/training_progress.h"

namespace kith::experiments {

const char* PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kQueued:
      return "queued";
    case Phase::kChecking:
      return "checking";
    case Phase::kCompressing:
      return "compressing";
    case Phase::kExpanding:
      return "expanding";
    case Phase::kTraining:
      return "training";
    case Phase::kAdding:
      return "adding";
    case Phase::kMeasuring:
      return "measuring";
    case Phase::kSaving:
      return "saving";
  }
  return "";
}

}  // namespace kith::experiments
