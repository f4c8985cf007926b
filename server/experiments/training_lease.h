// The right to train an experiment.
#pragma once

#include <memory>
#include <string>

#include "server/experiments/memory_budget.h"
#include "server/experiments/registry.h"
#include "server/retrieval/index.h"
#include "server/storage/records.h"

namespace kith::experiments {

// While it stands nobody else trains the experiment, adds to it, rolls it back or deletes it. If no generation was ever
// put in place the experiment is gone with it. Used by one thread at a time.
class TrainingLease {
 public:
  ~TrainingLease();
  TrainingLease(const TrainingLease&) = delete;
  TrainingLease& operator=(const TrainingLease&) = delete;

  const std::string& name() const { return experiment_->name; }

  // Whether something was trained before, so that there are frames to train on.
  bool IsTrained() const;

  // The generation that serves, loaded where it is not in memory. Waits; errors as Registry::Acquire.
  Registry::Resident Current() const { return registry_->AcquireNow(name()); }

  // Waits until the changes that were under way are through. Those that come later see the lease and are refused.
  void WaitForChanges() const;

  // Makes a stored generation the one that serves, in one step. `memory` is its part of the budget.
  void Replace(const storage::ExperimentRecord& record, std::unique_ptr<retrieval::Index> index,
               MemoryBudget::Reservation memory);

  // The same for one that was restored, with its pin, and is not in memory.
  void Replace(const storage::ExperimentRecord& record);

  Description Describe() const;

 private:
  friend class Registry;
  TrainingLease(Registry* registry, Registry::Pointer experiment)
      : registry_(registry), experiment_(std::move(experiment)) {}
  void Replace(const storage::ExperimentRecord& record, std::shared_ptr<Generation> generation, bool keep_pin);

  Registry* const registry_;
  const Registry::Pointer experiment_;
};

}  // namespace kith::experiments
