#include "server/experiments/trainer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/status.h"
#include "server/retrieval/build.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/serialize.h"

namespace kith::experiments {
namespace {

Phase PhaseOf(retrieval::BuildPhase phase) {
  switch (phase) {
    case retrieval::BuildPhase::kTraining:
      return Phase::kTraining;
    case retrieval::BuildPhase::kAdding:
      return Phase::kAdding;
    case retrieval::BuildPhase::kMeasuring:
      return Phase::kMeasuring;
  }
  return Phase::kTraining;
}

void Report(const TrainingRequest& request, Phase phase, int64_t done, int64_t total) {
  if (const auto observer = request.observer.lock()) observer->OnProgress(phase, done, total);
}

absl::Status ShuttingDown() {
  return Error(Reason::kShuttingDown, "the server is shutting down; nothing of the training was kept, so train again");
}

}  // namespace

Trainer::Trainer(storage::Store* store, const TrainerOptions& options)
    : store_(store), options_(options), pool_(options.concurrent, [options] {
        // On Linux a thread has a priority of its own; the OpenMP threads that it starts inherit it.
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), options.nice);
        retrieval::SetThreadsOfThisThread(options.threads);
      }) {}

Trainer::~Trainer() { Cancel(); }

absl::Status Trainer::CheckRoom(int64_t waiting) const {
  if (waiting < options_.queue) return absl::OkStatus();
  return WithRetryDelay(
      Error(Reason::kOverloaded, absl::StrCat(waiting, " trainings wait already; try again when some are done")),
      absl::Seconds(10));
}

absl::Status Trainer::Start(TrainingRequest request) {
  const auto waiting = static_cast<int64_t>(pool_.waiting());
  if (absl::Status status = CheckRoom(waiting); !status.ok()) return status;
  Report(request, Phase::kQueued, 0, waiting);
  // std::function wants to be able to copy what it holds.
  auto shared = std::make_shared<TrainingRequest>(std::move(request));
  pool_.Run([this, shared] { Run(std::move(*shared)); });
  return absl::OkStatus();
}

absl::Status Trainer::Queue(std::function<void()> work) {
  if (absl::Status status = CheckRoom(static_cast<int64_t>(pool_.waiting())); !status.ok()) return status;
  pool_.Run(std::move(work));
  return absl::OkStatus();
}

void Trainer::Run(TrainingRequest request) {
  const TimePoint start = Clock::now();
  const std::string name = request.lease->name();
  absl::StatusOr<Description> result;
  try {
    if (absl::Status status = Train(request); !status.ok()) {
      result = stopping_ ? ShuttingDown() : status;
    } else {
      result = request.lease->Describe();
      result->training = false;
    }
  } catch (const std::bad_alloc&) {
    result = Error(Reason::kMemoryBudget, "there is not enough memory for this training");
  } catch (const std::exception& exception) {
    result = Error(Reason::kInternal, absl::StrCat("training: ", exception.what()));
  }
  request.index_file.reset();
  request.lease.reset();  // first, so that whoever is told may train or add again at once
  if (options_.on_finished) options_.on_finished(name, result.status(), SecondsSince(start));
  if (const auto observer = request.observer.lock()) observer->OnFinished(result);
}

absl::StatusOr<retrieval::Frames> Trainer::StoredFrames(const TrainingRequest& request) const {
  const auto current = request.lease->current();
  if (current == nullptr) {
    return Error(Reason::kExperimentNotFound, absl::StrCat("no frames were sent and none are stored under '",
                                                           request.lease->name(), "'; send frames to train it on"));
  }
  return current->index->CopyFrames();
}

absl::Status Trainer::Train(const TrainingRequest& request) {
  if (stopping_) return ShuttingDown();
  request.lease->WaitForAddition();
  if (request.index_file) return Import(request);
  retrieval::Recipe recipe = request.recipe.value_or(retrieval::Recipe());
  retrieval::Frames stored;
  if (request.frames.values.empty()) {
    auto frames = StoredFrames(request);
    if (!frames.ok()) return frames.status();
    stored = *std::move(frames);
    if (!request.recipe) recipe = request.lease->current()->recipe;
  }
  const retrieval::FrameView frames = request.frames.values.empty() ? stored.view() : request.frames.view();

  auto index = retrieval::BuildIndex(recipe, frames, [&](retrieval::BuildPhase phase, int64_t done, int64_t total) {
    Report(request, PhaseOf(phase), done, total);
    return !stopping_;
  });
  if (!index.ok()) return index.status();
  return Commit(request, recipe, frames, *std::move(index));
}

absl::Status Trainer::Import(const TrainingRequest& request) {
  Report(request, Phase::kChecking, 0, 0);
  auto imported = ReadImport(
      *request.index_file, options_.import, [this] { return stopping(); },
      [&](int64_t done, int64_t total) {
        Report(request, Phase::kMeasuring, done, total);
        return !stopping_;
      });
  if (!imported.ok()) return imported.status();
  const retrieval::BuildReport& report = imported->index->report();
  retrieval::Recipe recipe;  // trains such an index again
  recipe.factory = report.factory;
  recipe.metric = imported->index->metric();
  if (report.nprobe > 0) recipe.nprobe = report.nprobe;
  if (report.k_factor > 0) recipe.k_factor = report.k_factor;
  return Commit(request, recipe, imported->frames.view(), std::move(imported->index));
}

absl::Status Trainer::Commit(const TrainingRequest& request, const retrieval::Recipe& recipe,
                             retrieval::FrameView frames, std::unique_ptr<retrieval::Index> index) {
  const auto record = store_->CommitGeneration(
      request.lease->name(), recipe, index->report(), frames,
      [&](storage::ByteSink sink) { return retrieval::WriteIndex(*index, sink); },
      [&](int64_t done, int64_t total) { Report(request, Phase::kSaving, done, total); }, request.request);
  if (!record.ok()) return record.status();
  if (!record->repeated) request.lease->Replace(record->experiment, std::move(index));
  return absl::OkStatus();
}

}  // namespace kith::experiments
