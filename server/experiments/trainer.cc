#include "server/experiments/trainer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

absl::Status Trainer::Start(TrainingRequest request) {
  const auto waiting = static_cast<int64_t>(pool_.waiting());
  if (waiting >= options_.queue) {
    return WithRetryDelay(
        Error(Reason::kOverloaded, absl::StrCat(waiting, " trainings wait already; try again when some are done")),
        absl::Seconds(10));
  }
  Report(request, Phase::kQueued, 0, waiting);
  auto training = std::make_shared<Training>();
  training->request = std::move(request);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return ShuttingDown();
    trainings_.insert(training);
  }
  pool_.Run([this, training] {
    Run(training.get());
    const std::lock_guard<std::mutex> lock(mutex_);
    trainings_.erase(training);
    ended_.notify_all();
  });
  return absl::OkStatus();
}

void Trainer::Cancel() {
  std::vector<std::shared_ptr<TrainingObserver>> untold;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    for (const std::shared_ptr<Training>& training : trainings_) {
      if (training->saving || training->told) continue;
      training->told = true;
      if (auto observer = training->request.observer.lock()) untold.push_back(std::move(observer));
    }
  }
  for (const auto& observer : untold) observer->OnFinished(ShuttingDown());
}

bool Trainer::WaitUntilIdle(TimePoint deadline, TimePoint saving_deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto none_saves = [this] {
    return std::none_of(trainings_.begin(), trainings_.end(), [](const auto& training) { return training->saving; });
  };
  ended_.wait_until(lock, deadline, [this] { return trainings_.empty(); });
  ended_.wait_until(lock, saving_deadline, none_saves);
  return trainings_.empty();
}

bool Trainer::StartSaving(Training* training) {
  const std::lock_guard<std::mutex> lock(mutex_);
  training->saving = !stopping_;
  return training->saving;
}

void Trainer::Tell(Training* training, const absl::StatusOr<Description>& result) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (std::exchange(training->told, true)) return;
  }
  if (const auto observer = training->request.observer.lock()) observer->OnFinished(result);
}

absl::StatusOr<Description> Trainer::Result(Training* training) {
  try {
    if (absl::Status status = Train(training); !status.ok()) return stopping_ ? ShuttingDown() : status;
    Description description = training->request.lease->Describe();
    description.training = false;
    return description;
  } catch (const std::bad_alloc&) {
    return Error(Reason::kMemoryBudget, "there is not enough memory for this training");
  } catch (const std::exception& exception) {
    return Error(Reason::kInternal, absl::StrCat("training: ", exception.what()));
  }
}

void Trainer::Run(Training* training) {
  const TimePoint start = Clock::now();
  const std::string name = training->request.lease->name();
  const absl::StatusOr<Description> result = Result(training);
  training->request.lease.reset();  // first, so that whoever is told may train or add again at once
  if (options_.on_finished) options_.on_finished(name, result.status(), SecondsSince(start));
  Tell(training, result);
}

absl::StatusOr<retrieval::Frames> Trainer::StoredFrames(const TrainingRequest& request) const {
  const auto current = request.lease->current();
  if (current == nullptr) {
    return Error(Reason::kExperimentNotFound, absl::StrCat("no frames were sent and none are stored under '",
                                                           request.lease->name(), "'; send frames to train it on"));
  }
  return current->index->CopyFrames();
}

absl::Status Trainer::Train(Training* training) {
  const TrainingRequest& request = training->request;
  if (stopping_) return ShuttingDown();
  request.lease->WaitForAddition();
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

  if (!StartSaving(training)) return ShuttingDown();
  const auto record = store_->CommitGeneration(
      request.lease->name(), recipe, (*index)->report(), frames,
      [&](storage::ByteSink sink) { return retrieval::WriteIndex(**index, sink); },
      [&](int64_t done, int64_t total) { Report(request, Phase::kSaving, done, total); }, request.request);
  if (!record.ok()) return record.status();
  if (!record->repeated) request.lease->Replace(record->experiment, *std::move(index));
  return absl::OkStatus();
}

}  // namespace kith::experiments
