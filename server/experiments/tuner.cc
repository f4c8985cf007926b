#include "server/experiments/tuner.h"

#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::experiments {
namespace {

using Result = absl::StatusOr<std::vector<retrieval::TuneCandidate>>;

Result ShuttingDown() { return Error(Reason::kShuttingDown, "the server is shutting down; tune again in a moment"); }

Result Tune(const Trainer& trainer, const TuningRequest& request) {
  const retrieval::Index& index = *request.generation->index;
  retrieval::TuneOptions options = request.options;
  options.metric = index.metric();
  const auto observe = [&](const std::string& step, int done, int total) {
    const auto observer = request.observer.lock();
    return !trainer.stopping() && observer != nullptr && observer->OnStep(step, done, total);
  };
  if (!observe("copying frames", 0, 0)) return Error(Reason::kCancelled, "the tuning was cancelled");
  const retrieval::Frames frames = retrieval::FramesToTune(index, options);
  return retrieval::Tune(options, frames.view(), request.queries.view(), observe);
}

void Run(const Trainer& trainer, const TuningRequest& request) {
  Result result;
  try {
    result = Tune(trainer, request);
  } catch (const std::bad_alloc&) {
    result = Error(Reason::kMemoryBudget, "there is not enough memory for this tuning; try it on a sample");
  } catch (const std::exception& exception) {
    result = Error(Reason::kInternal, absl::StrCat("tuning: ", exception.what()));
  }
  if (!result.ok() && trainer.stopping()) result = ShuttingDown();
  if (const auto observer = request.observer.lock()) observer->OnFinished(result);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer::Place>> StartTuning(Trainer* trainer, TuningRequest request) {
  return trainer->Queue([trainer, request = std::move(request)] { Run(*trainer, request); });
}

}  // namespace kith::experiments
