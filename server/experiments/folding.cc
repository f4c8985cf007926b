#include "server/experiments/folding.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "server/base/guard.h"
#include "server/experiments/loader.h"
#include "server/retrieval/platform.h"
#include "server/retrieval/serialize.h"

namespace kith::experiments {
namespace {

constexpr std::chrono::minutes kPauseAfterFailure(1);

}  // namespace

Folding::Folding(storage::Store* store, MemoryBudget* budget, Registry* registry, FoldingOptions options)
    : store_(store),
      budget_(budget),
      registry_(registry),
      options_(std::move(options)),
      rows_(options_.rows),
      bytes_(options_.bytes),
      pool_(1, [this] {
        setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), options_.nice);  // on Linux, this thread's
        retrieval::SetThreadsOfThisThread(1);
      }) {
  registry_->SetOnGrown([this](const storage::ExperimentRecord& record) { Consider(record); });
  ConsiderAll();
}

Folding::~Folding() {
  registry_->SetOnGrown(nullptr);
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = true;
}

void Folding::ConsiderAll() {
  for (const Description& experiment : registry_->List("", SIZE_MAX)) Consider(experiment.record);
}

void Folding::SetThresholds(int64_t rows, int64_t bytes) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (rows == rows_ && bytes == bytes_) return;
    rows_ = rows;
    bytes_ = bytes;
  }
  ConsiderAll();
}

bool Folding::IsDue(const storage::ExperimentRecord& record) const {
  const int64_t rows = record.total_rows - record.generation.rows;
  const int64_t bytes = rows * record.generation.dimension * static_cast<int64_t>(sizeof(float));
  const std::lock_guard<std::mutex> lock(mutex_);
  return record.status.ok() && rows > 0 && (rows >= rows_ || bytes >= bytes_);
}

void Folding::Consider(const storage::ExperimentRecord& record) {
  if (!IsDue(record)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto failed = not_before_.find(record.name);
  if (stopping_ || (failed != not_before_.end() && Clock::now() < failed->second)) return;
  if (!queued_.insert(record.name).second) return;
  pool_.Run([this, name = record.name] { Run(name); });
}

void Folding::Run(const std::string& name) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queued_.erase(name);  // what is added from here on may want the next one
    if (stopping_) return;
  }
  const absl::Status status = Guarded([&] { return Fold(name); });
  const std::lock_guard<std::mutex> lock(mutex_);
  not_before_.erase(name);
  if (!status.ok()) not_before_[name] = Clock::now() + kPauseAfterFailure;
}

absl::Status Folding::Fold(const std::string& name) {
  const TimePoint start = Clock::now();
  const auto described = registry_->Describe(name);
  if (!described.ok() || !IsDue(described->record)) return absl::OkStatus();  // deleted, or done by a training
  int64_t rows = 0;
  const absl::Status status = [&]() -> absl::Status {
    auto loaded = LoadGeneration(store_, budget_, described->record);
    if (!loaded.ok()) return loaded.status();
    const Generation& copy = *loaded->generation;
    rows = copy.index->rows() - described->record.generation.rows;
    const auto room = budget_->Reserve(copy.index->rows() * copy.index->dimension() * int64_t{sizeof(float)},
                                       absl::StrCat("folding the additions to '", name, "'"));
    if (!room.ok()) return room.status();
    const retrieval::Frames frames = copy.index->CopyFrames();
    const auto folded = store_->Fold(name, copy.number, frames.view(),
                                     [&](storage::ByteSink sink) { return retrieval::WriteIndex(*copy.index, sink); });
    if (folded.ok()) registry_->NoteFolded(*folded);
    return folded.status();
  }();
  if (absl::IsNotFound(status) || absl::IsAborted(status)) return absl::OkStatus();  // deleted or trained meanwhile
  if (options_.on_folded) options_.on_folded(name, status, rows, SecondsSince(start));
  return status;
}

}  // namespace kith::experiments
