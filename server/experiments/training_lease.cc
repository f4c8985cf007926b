#include "server/experiments/training_lease.h"

#include <future>
#include <mutex>
#include <utility>

namespace kith::experiments {

TrainingLease::~TrainingLease() { registry_->Release(experiment_); }

bool TrainingLease::IsTrained() const {
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  return experiment_->record.generation.number > 0;
}

void TrainingLease::WaitForChanges() const {
  std::promise<void> through;
  experiment_->work.Run([&] { through.set_value(); });
  through.get_future().wait();
}

void TrainingLease::Replace(const storage::ExperimentRecord& record, std::unique_ptr<retrieval::Index> index,
                            MemoryBudget::Reservation memory) {
  auto generation = std::make_unique<Generation>();
  generation->number = record.generation.number;
  generation->recipe = record.generation.recipe;
  generation->memory = std::move(memory);
  generation->index = std::move(index);
  Replace(record, registry_->Own(*experiment_, std::move(generation)), /*keep_pin=*/true);
}

void TrainingLease::Replace(const storage::ExperimentRecord& record) { Replace(record, nullptr, /*keep_pin=*/false); }

void TrainingLease::Replace(const storage::ExperimentRecord& record, std::shared_ptr<Generation> generation,
                            bool keep_pin) {
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  const bool pinned = keep_pin ? experiment_->record.pinned : record.pinned;  // the lease does not hold up a Pin
  Registry::Put(experiment_.get(), record);
  experiment_->record.pinned = pinned;
  experiment_->last_used = absl::Now();
  experiment_->sound = true;                      // a restore has checked what it wrote
  experiment_->resident = std::move(generation);  // the old one goes to the reaper if nobody else has it
}

Description TrainingLease::Describe() const {
  const std::lock_guard<std::mutex> lock(registry_->mutex_);
  return Registry::Describe(*experiment_);
}

}  // namespace kith::experiments
