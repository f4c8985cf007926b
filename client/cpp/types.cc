#include "client/cpp/types.h"

namespace kith {

std::string_view MetricName(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return "l2";
    case Metric::kInnerProduct:
      return "inner-product";
    case Metric::kCosine:
      return "cosine";
  }
  return "unknown";
}

std::string_view StateName(Experiment::State state) {
  switch (state) {
    case Experiment::State::kTraining:
      return "training";
    case Experiment::State::kReady:
      return "ready";
    case Experiment::State::kFailed:
      return "failed";
    case Experiment::State::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view PhaseName(TrainPhase phase) {
  switch (phase) {
    case TrainPhase::kReceiving:
      return "receiving";
    case TrainPhase::kQueued:
      return "queued";
    case TrainPhase::kCompressing:
      return "compressing";
    case TrainPhase::kExpanding:
      return "expanding";
    case TrainPhase::kTraining:
      return "training";
    case TrainPhase::kAdding:
      return "adding";
    case TrainPhase::kMeasuring:
      return "measuring";
    case TrainPhase::kSaving:
      return "saving";
    case TrainPhase::kDone:
      return "done";
    case TrainPhase::kChecking:
      return "checking";
  }
  return "unknown";
}

}  // namespace kith
