#include "client/cpp/types.h"

#include <cstring>

namespace kith {
namespace {

// Both have all exponent bits set. A loop over integers is one that the compiler turns into vector instructions.
bool AllFinite(absl::Span<const float> values) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t bad = 0;
  for (const float& value : values) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    bad |= static_cast<uint32_t>((bits & kExponent) == kExponent);
  }
  return bad == 0;
}

}  // namespace

int64_t FirstRowNotFinite(FramesView frames) {
  if (AllFinite(frames.values)) return -1;
  int64_t row = 0;
  while (AllFinite(frames.Rows(row, 1).values)) ++row;
  return row;
}

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
    case Experiment::State::kDegraded:
      return "degraded";
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
