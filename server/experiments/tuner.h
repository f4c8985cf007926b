// Tunings: they wait in the trainer's queue, run at its priority, and end with whoever asked for them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/experiments/experiment.h"
#include "server/experiments/trainer.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/tune.h"

namespace kith::experiments {

// Told of a tuning's progress, from the thread that runs it.
class TuningObserver {
 public:
  virtual ~TuningObserver() = default;
  // As retrieval::TuneObserver: false stops it before its next step.
  virtual bool OnStep(const std::string& step, int done, int total) = 0;
  // The last call.
  virtual void OnFinished(const absl::StatusOr<std::vector<retrieval::TuneCandidate>>& result) = 0;
};

struct TuningRequest {
  std::string experiment;                  // whose frames and metric count
  retrieval::Frames queries;               // none: made of the frames
  retrieval::TuneOptions options;          // the metric is the generation's
  std::weak_ptr<TuningObserver> observer;  // the tuning ends before its next step once this has gone
};

// Queues the tuning, or says at once why not: OVERLOADED, SHUTTING_DOWN. It takes no lease: the experiment may be
// trained, extended or deleted meanwhile, and the tuning is of the frames that its generation held when its turn came.
// Ends with SHUTTING_DOWN when the trainer is cancelled, with CANCELLED when the observer said so or has gone, and
// otherwise as retrieval::Tune. Who no longer wants it lets go of its place.
absl::StatusOr<std::unique_ptr<Trainer::Place>> StartTuning(Trainer* trainer, Registry* registry,
                                                            TuningRequest request);

}  // namespace kith::experiments
