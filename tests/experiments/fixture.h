// A registry and a trainer over a data folder of their own.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/ids.h"
#include "server/experiments/registry.h"
#include "server/experiments/trainer.h"
#include "server/experiments/training_lease.h"
#include "server/storage/store.h"
#include "tests/support/frames.h"

namespace kith::experiments {

// Remembers what it is told, and can hold the training up at its first step of a phase.
class Recorder : public TrainingObserver {
 public:
  void OnProgress(Phase phase, int64_t, int64_t) override {
    std::unique_lock<std::mutex> lock(mutex_);
    if (phases_.empty() || phases_.back() != phase) phases_.push_back(phase);
    changed_.notify_all();
    changed_.wait(lock, [&] { return hold_at_ != phase; });
  }
  void OnFinished(const absl::StatusOr<Description>& result) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    result_ = result;
    changed_.notify_all();
  }

  void HoldAt(Phase phase) { hold_at_ = phase; }
  void WaitUntilHeld() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return !phases_.empty() && phases_.back() == hold_at_; });
  }
  void LetGo() {
    const std::lock_guard<std::mutex> lock(mutex_);
    hold_at_.reset();
    changed_.notify_all();
  }
  absl::StatusOr<Description> Result() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value(); });
    return *result_;
  }
  std::vector<Phase> phases() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return phases_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Phase> hold_at_;
  std::vector<Phase> phases_;
  std::optional<absl::StatusOr<Description>> result_;
};

class ExperimentsTest : public ::testing::Test {
 protected:
  static constexpr int kDimension = 16;

  ExperimentsTest() { Open(); }
  ~ExperimentsTest() override {
    Close();
    std::filesystem::remove_all(folder_);
  }

  void Open(RegistryOptions options = {}, int64_t budget = int64_t{1} << 30) {
    auto store = storage::Store::Open(folder_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    budget_ = std::make_unique<MemoryBudget>(budget);
    auto registry = Registry::Open(store_.get(), budget_.get(), std::move(options));
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    TrainerOptions training;
    training.queue = 2;
    trainer_ = std::make_unique<Trainer>(store_.get(), budget_.get(), training);
  }
  void Close() {
    trainer_.reset();
    registry_.reset();
    budgets_.push_back(std::move(budget_));
    store_.reset();
  }

  Registry::Resident Find(const std::string& name) { return registry_->AcquireNow(name); }

  // What the registry tells to a function, waited for.
  template <typename Result, typename Ask>
  static Result Wait(const Ask& ask) {
    std::promise<Result> promise;
    ask([&](const Result& result) { promise.set_value(result); });
    return promise.get_future().get();
  }
  absl::StatusOr<storage::AddRecord> Add(const std::string& name, retrieval::FrameView frames,
                                         const std::optional<storage::Request>& request = std::nullopt) {
    return Wait<absl::StatusOr<storage::AddRecord>>(
        [&](const auto& done) { registry_->Add(name, frames, request, done); });
  }
  absl::Status Delete(const std::string& name) {
    return Wait<absl::Status>([&](const auto& done) { registry_->Delete(name, done); });
  }
  absl::StatusOr<Description> Rollback(const std::string& name, std::optional<int64_t> to = std::nullopt) {
    return Wait<absl::StatusOr<Description>>([&](const auto& done) { registry_->Rollback(name, to, done); });
  }
  absl::StatusOr<Description> Load(const std::string& name) {
    return Wait<absl::StatusOr<Description>>([&](const auto& done) { registry_->Load(name, done); });
  }
  absl::StatusOr<Description> SetPinned(const std::string& name, bool pinned) {
    return Wait<absl::StatusOr<Description>>([&](const auto& done) { registry_->SetPinned(name, pinned, done); });
  }
  bool IsResident(const std::string& name) const { return registry_->Describe(name)->generation != nullptr; }

  static retrieval::Frames FramesOf(int64_t rows, uint64_t seed = 1) {
    return kith::testing::SpeechLike(rows, kDimension, seed);
  }

  absl::Status Start(const std::string& name, retrieval::Frames frames, const std::shared_ptr<Recorder>& recorder,
                     std::optional<retrieval::Recipe> recipe = std::nullopt) {
    auto lease = registry_->Reserve(name);
    if (!lease.ok()) return lease.status();
    TrainingRequest request;
    request.lease = *std::move(lease);
    request.recipe = std::move(recipe);
    request.frames = std::move(frames);
    request.observer = recorder;
    return trainer_->Start(std::move(request));
  }

  absl::StatusOr<Description> Train(const std::string& name, retrieval::Frames frames,
                                    std::optional<retrieval::Recipe> recipe = std::nullopt) {
    const auto recorder = std::make_shared<Recorder>();
    if (absl::Status status = Start(name, std::move(frames), recorder, std::move(recipe)); !status.ok()) return status;
    return recorder->Result();
  }

  // The id and the distance of the nearest stored frame.
  std::pair<int64_t, float> Nearest(const std::string& name, retrieval::FrameView query) {
    const auto generation = Find(name);
    if (!generation.ok()) return {-2, 0};
    const retrieval::Index& index = *(*generation)->index;
    const auto neighbors = index.Search(query, *index.Resolve({1, std::nullopt, std::nullopt}));
    return {neighbors->ids[0], neighbors->distances[0]};
  }

  const std::string folder_ = (std::filesystem::temp_directory_path() / ("kith-test-" + RandomId())).string();
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<MemoryBudget> budget_;
  std::vector<std::unique_ptr<MemoryBudget>> budgets_;  // former ones: a test may still hold a generation of theirs
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Trainer> trainer_;
};

}  // namespace kith::experiments
