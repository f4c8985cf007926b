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
#include "server/retrieval/factory.h"
#include "server/retrieval/frame_store.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/prepare.h"
#include "server/retrieval/serialize.h"

namespace kith::experiments {
namespace {

Phase PhaseOf(retrieval::BuildPhase phase) {
  switch (phase) {
    case retrieval::BuildPhase::kCompressing:
      return Phase::kCompressing;
    case retrieval::BuildPhase::kExpanding:
      return Phase::kExpanding;
    case retrieval::BuildPhase::kTraining:
      return Phase::kTraining;
    case retrieval::BuildPhase::kAdding:
      return Phase::kAdding;
    case retrieval::BuildPhase::kMeasuring:
      return Phase::kMeasuring;
  }
  return Phase::kTraining;
}

absl::Status ShuttingDown() {
  return Error(Reason::kShuttingDown,
               "the server is shutting down; nothing of this was kept, so ask again in a moment");
}

int64_t TimesTheFrames(double times, int64_t rows, int dimension) {
  return static_cast<int64_t>(times * static_cast<double>(rows) * dimension * sizeof(float));
}

}  // namespace

int64_t MostTrainingBytes(retrieval::Metric metric, int64_t rows, int dimension) {
  // 2.1 to 2.3 were measured, of some types of index; cosine has one copy of the frames more.
  return TimesTheFrames(metric == retrieval::Metric::kCosine ? 3.4 : 3, rows, dimension);
}

int64_t TrainingBytes(const retrieval::Recipe& recipe, int64_t rows, int dimension) {
  const int64_t most = MostTrainingBytes(recipe.metric, rows, dimension);
  if (recipe.compression || recipe.expansion) return most;
  const auto plan = retrieval::PlanBuild(recipe, rows, dimension);
  if (!plan.ok() || !retrieval::KeepsFramesOnce(plan->factory, recipe.metric)) return most;
  const auto shape = retrieval::CheckFactory(plan->factory, recipe.metric, rows, dimension);
  const bool many_lists = !shape.ok() || shape->rows_needed > rows / retrieval::kRowsPerList;
  if (many_lists) return most;  // each of which takes as much as a row or more
  // 1.1 to 1.7 were measured, of 256 and 768 dimensions; of few, ids and the like count for more.
  constexpr int64_t kBesideARow = 64;
  return std::min(most, TimesTheFrames(2.25, rows, dimension) + kBesideARow * rows);
}

Trainer::Trainer(storage::Store* store, MemoryBudget* budget, const TrainerOptions& options)
    : store_(store), budget_(budget), options_(options), pool_(options.concurrent, [options] {
        // On Linux a thread has a priority of its own; the OpenMP threads that it starts inherit it.
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), options.nice);
      }) {}

Trainer::~Trainer() { Cancel(); }

// One training from Start to its end.
struct Trainer::Training {
  TrainingRequest request;
  std::shared_ptr<Job> job = std::make_shared<Job>();
  std::atomic<bool> told{false};  // the observer knows the end, or is about to

  void Tell(const absl::StatusOr<Description>& result) {
    if (told.exchange(true)) return;
    if (const auto observer = request.observer.lock()) observer->OnFinished(result);
  }
};

absl::Status Trainer::Start(TrainingRequest request) {
  auto training = std::make_shared<Training>();
  training->request = std::move(request);
  training->job->on_cancel = [training = std::weak_ptr<Training>(training)] {
    if (const auto held = training.lock()) held->Tell(ShuttingDown());
  };
  training->job->progress.experiment = training->request.lease->name();
  training->job->progress.is_import = training->request.index_file.has_value();
  const absl::StatusOr<int64_t> ahead = TakePlace(training->job);
  if (!ahead.ok()) return ahead.status();
  Report(training.get(), Phase::kQueued, 0, *ahead);
  RunInTurn(training->job, [this, training] { Run(training.get()); });
  return absl::OkStatus();
}

void Trainer::Report(Training* training, Phase phase, int64_t done, int64_t total) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    TrainingProgress& progress = training->job->progress;
    progress.phase = phase;
    progress.done = done;
    progress.total = total;
  }
  if (const auto observer = training->request.observer.lock()) observer->OnProgress(phase, done, total);
}

bool Trainer::Step(Training* training, Phase phase, int64_t done, int64_t total) {
  Report(training, phase, done, total);
  if (options_.threads_now) retrieval::SetThreadsOfThisThread(options_.threads_now());
  return !stopping_;
}

std::vector<TrainingProgress> Trainer::Progress() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<TrainingProgress> all;
  for (const std::shared_ptr<Job>& job : jobs_) {
    TrainingProgress progress = job->progress;
    progress.running = job->begun;
    if (job->begun) progress.seconds = SecondsSince(job->begin);
    all.push_back(std::move(progress));
  }
  return all;
}

absl::StatusOr<std::unique_ptr<Trainer::Place>> Trainer::Queue(std::function<void()> work) {
  const auto job = std::make_shared<Job>();
  if (const auto ahead = TakePlace(job); !ahead.ok()) return ahead.status();
  RunInTurn(job, std::move(work));
  return std::make_unique<Place>(this, job);
}

absl::StatusOr<int64_t> Trainer::TakePlace(const std::shared_ptr<Job>& job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return ShuttingDown();
  const int64_t waiting = std::count_if(jobs_.begin(), jobs_.end(), [](const auto& other) { return !other->begun; });
  if (waiting >= options_.queue) {
    return WithRetryDelay(
        Error(Reason::kOverloaded,
              absl::StrCat(waiting, " trainings or tunings wait already; try again when some are done")),
        absl::Seconds(10));
  }
  jobs_.insert(job);
  return waiting;
}

void Trainer::RunInTurn(const std::shared_ptr<Job>& job, std::function<void()> work) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job->work = std::move(work);
  }
  pool_.Run([this, job] {
    std::function<void()> begun;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!job->work) return;  // its place was given back
      job->begun = true;
      job->begin = Clock::now();
      begun = std::exchange(job->work, nullptr);
    }
    retrieval::SetThreadsOfThisThread(options_.threads);  // the last one may have left fewer
    begun();
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(job);
    ended_.notify_all();
  });
}

void Trainer::GiveBack(const std::shared_ptr<Job>& job) {
  std::function<void()> dropped;  // outside the lock: it may hold a generation
  const std::lock_guard<std::mutex> lock(mutex_);
  if (job->begun) return;
  dropped.swap(job->work);
  jobs_.erase(job);
  ended_.notify_all();
}

void Trainer::Cancel() {
  std::vector<std::shared_ptr<Job>> cancelled;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_.exchange(true)) return;
    for (const std::shared_ptr<Job>& job : jobs_) {
      if (!job->saving) cancelled.push_back(job);
    }
  }
  for (const auto& job : cancelled) job->on_cancel();
}

bool Trainer::WaitUntilIdle(TimePoint deadline, TimePoint saving_deadline) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto none_saves = [this] {
    return std::none_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->saving; });
  };
  ended_.wait_until(lock, deadline, [this] { return jobs_.empty(); });
  ended_.wait_until(lock, saving_deadline, none_saves);
  return jobs_.empty();
}

bool Trainer::StartSaving(Job* job) {
  const std::lock_guard<std::mutex> lock(mutex_);
  job->saving = !stopping_;
  return job->saving;
}

absl::StatusOr<Description> Trainer::Result(Training* training) {
  try {
    if (absl::Status status = Train(training); !status.ok()) {
      return status.code() == absl::StatusCode::kCancelled ? ShuttingDown() : status;  // nothing else cancels it
    }
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
  TrainingEnd end;
  end.name = training->request.lease->name();
  end.is_import = training->request.index_file.has_value();
  const absl::StatusOr<Description> result = Result(training);
  end.status = result.status();
  end.seconds = SecondsSince(start);
  training->request.index_file.reset();
  training->request.frames = {};
  training->request.memory = {};
  training->request.lease.reset();  // first, so that whoever is told may train or add again at once
  if (options_.on_finished) options_.on_finished(end);
  training->Tell(result);
}

absl::Status Trainer::Check(const std::optional<retrieval::Recipe>& recipe, int64_t rows, int dimension) const {
  const retrieval::Recipe used = RecipeFor(recipe, rows);
  const auto prepared_rows = retrieval::PreparedRows(used, rows);
  if (!prepared_rows.ok()) return prepared_rows.status();
  const int64_t bytes = TrainingBytes(used, *prepared_rows, dimension);
  if (bytes > budget_->limit()) return budget_->Full(bytes, "this training");
  return retrieval::PlanBuild(used, *prepared_rows, dimension).status();
}

retrieval::Recipe Trainer::RecipeFor(const std::optional<retrieval::Recipe>& asked, int64_t rows) const {
  retrieval::Recipe recipe = asked.value_or(retrieval::Recipe());
  const bool is_auto = recipe.factory.empty() && (recipe.name.empty() || recipe.name == "auto");
  const bool is_large = options_.compress_above_rows > 0 && rows > options_.compress_above_rows;
  if (is_auto && is_large && !recipe.compression && rows > options_.compress_centres) {
    recipe.compression = retrieval::Compression{options_.compress_centres, std::nullopt, std::nullopt};
  }
  return recipe;
}

absl::Status Trainer::TakeStored(TrainingRequest* request) const {
  if (!request->lease->IsTrained()) {
    return Error(Reason::kExperimentNotFound, absl::StrCat("no frames were sent and none are stored under '",
                                                           request->lease->name(), "'; send frames to train it on"));
  }
  const auto current = request->lease->Current();
  if (!current.ok()) return current.status();
  const retrieval::Index& index = *(*current)->index;
  auto memory = budget_->Reserve(index.rows() * index.dimension() * int64_t{sizeof(float)},
                                 absl::StrCat("the frames of '", request->lease->name(), "'"));
  if (!memory.ok()) return memory.status();
  request->memory = *std::move(memory);
  request->frames = index.CopyFrames();
  if (request->recipe) {
    request->recipe = RecipeFor(request->recipe, request->frames.rows());
  } else {
    request->recipe = (*current)->recipe;
    request->recipe->compression.reset();
    request->recipe->expansion.reset();
  }
  return absl::OkStatus();
}

absl::Status Trainer::Train(Training* training) {
  TrainingRequest* const request = &training->request;
  if (stopping_) return ShuttingDown();
  request->lease->WaitForChanges();
  if (request->index_file) return Import(training);
  if (!request->frames.values.empty()) {
    request->recipe = RecipeFor(request->recipe, request->frames.rows());
  } else if (absl::Status status = TakeStored(request); !status.ok()) {
    return status;
  }
  const retrieval::Recipe& recipe = *request->recipe;
  retrieval::Frames& frames = request->frames;

  const auto observe = [&](retrieval::BuildPhase phase, int64_t done, int64_t total) {
    return Step(training, PhaseOf(phase), done, total);
  };
  const auto rows = retrieval::PreparedRows(recipe, frames.rows());
  if (!rows.ok()) return rows.status();
  auto memory = budget_->Reserve(TrainingBytes(recipe, *rows, frames.dimension),
                                 absl::StrCat("training '", request->lease->name(), "'"));
  if (!memory.ok()) return memory.status();
  auto prepared = retrieval::PrepareFrames(recipe, frames.view(), observe);
  if (!prepared.ok()) return prepared.status();
  if (prepared->has_value()) frames = **std::move(prepared);
  auto index = retrieval::BuildIndex(recipe, frames.view(), observe);
  if (!index.ok()) return index.status();

  return Commit(training, recipe, frames.view(), *std::move(index), *std::move(memory));
}

absl::Status Trainer::Import(Training* training) {
  const TrainingRequest& request = training->request;
  Report(training, Phase::kChecking, 0, 0);
  auto imported = ReadImport(
      *request.index_file, options_.import, budget_, [this] { return stopping(); },
      [&](int64_t done, int64_t total) { return Step(training, Phase::kMeasuring, done, total); });
  if (!imported.ok()) return imported.status();
  const retrieval::BuildReport& report = imported->index->report();
  retrieval::Recipe recipe;  // trains such an index again
  recipe.factory = report.factory;
  recipe.metric = imported->index->metric();
  if (report.nprobe > 0) recipe.nprobe = report.nprobe;
  if (report.k_factor > 0) recipe.k_factor = report.k_factor;
  return Commit(training, recipe, imported->frames.view(), std::move(imported->index), std::move(imported->memory));
}

absl::Status Trainer::Commit(Training* training, const retrieval::Recipe& recipe, retrieval::FrameView frames,
                             std::unique_ptr<retrieval::Index> index, MemoryBudget::Reservation memory) {
  if (!StartSaving(training->job.get())) return ShuttingDown();
  const TrainingRequest& request = training->request;
  const auto record = store_->CommitGeneration(
      request.lease->name(), recipe, index->report(), frames,
      [&](storage::ByteSink sink) { return retrieval::WriteIndex(*index, sink); },
      [&](int64_t done, int64_t total) { Report(training, Phase::kSaving, done, total); }, request.request);
  if (!record.ok()) return record.status();
  if (record->repeated) return absl::OkStatus();
  memory.Correct(index->bytes());
  request.lease->Replace(record->experiment, std::move(index), std::move(memory));
  return absl::OkStatus();
}

}  // namespace kith::experiments
