#include "server/experiments/tuner.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status.h"

namespace kith::experiments {
namespace {

using Result = absl::StatusOr<std::vector<retrieval::TuneCandidate>>;

int64_t BytesOf(int64_t rows, const retrieval::Index& index) {
  return rows * index.dimension() * int64_t{sizeof(float)};
}

Result ShuttingDown() { return Error(Reason::kShuttingDown, "the server is shutting down; tune again in a moment"); }

Result Tune(const Trainer& trainer, Registry* registry, const TuningRequest& request) {
  const auto generation = registry->AcquireNow(request.experiment);
  if (!generation.ok()) return generation.status();
  const retrieval::Index& index = *(*generation)->index;
  retrieval::TuneOptions options = request.options;
  options.metric = index.metric();
  const auto observe = [&](const std::string& step, int done, int total) {
    const auto observer = request.observer.lock();
    return !trainer.stopping() && observer != nullptr && observer->OnStep(step, done, total);
  };
  if (!observe("copying frames", 0, 0)) return Error(Reason::kCancelled, "the tuning was cancelled");
  const int64_t rows = options.sample > 0 ? std::min(options.sample, index.rows()) : index.rows();
  const auto memory =
      trainer.budget()->Reserve(MostTrainingBytes(index.metric(), rows, index.dimension()) + BytesOf(rows, index),
                                absl::StrCat("tuning '", request.experiment, "'"));
  if (!memory.ok()) return memory.status();
  const retrieval::Frames frames = retrieval::FramesToTune(index, options);
  return retrieval::Tune(options, frames.view(), request.queries.view(), observe);
}

void Run(const Trainer& trainer, Registry* registry, const TuningRequest& request) {
  Result result;
  try {
    result = Tune(trainer, registry, request);
  } catch (const std::bad_alloc&) {
    result = Error(Reason::kMemoryBudget, "there is not enough memory for this tuning; try it on a sample");
  } catch (const std::exception& exception) {
    result = Error(Reason::kInternal, absl::StrCat("tuning: ", exception.what()));
  }
  if (!result.ok() && trainer.stopping()) result = ShuttingDown();
  if (const auto observer = request.observer.lock()) observer->OnFinished(result);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Trainer::Place>> StartTuning(Trainer* trainer, Registry* registry,
                                                            TuningRequest request) {
  return trainer->Queue([=, request = std::move(request)] { Run(*trainer, registry, request); });
}

}  // namespace kith::experiments
