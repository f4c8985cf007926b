// Folding: what was added to an experiment goes from the catalogue's log into a new snapshot, in the background.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "server/base/clock.h"
#include "server/base/thread_pool.h"
#include "server/experiments/registry.h"
#include "server/storage/records.h"
#include "server/storage/store.h"

namespace kith::experiments {

struct FoldingOptions {
  // An experiment is folded once additions of so many rows or bytes are in no snapshot.
  int64_t rows = 10000;
  int64_t bytes = int64_t{64} << 20;
  int nice = 19;  // 0 to 19, as nice(1)
  // Told of the end of each, for the log.
  std::function<void(const std::string& name, const absl::Status& status, int64_t rows, double seconds)> on_folded;
};

// One at a time, over a copy that is read from the store for it, so that neither additions nor searches wait.
// Thread-safe.
class Folding {
 public:
  // All three have to outlive this; takes on what is due already.
  Folding(storage::Store* store, MemoryBudget* budget, Registry* registry, FoldingOptions options);
  // Waits for the one that is under way.
  ~Folding();

  // From now on an experiment is folded at so many rows or bytes; looks through all of them.
  void SetThresholds(int64_t rows, int64_t bytes);

  // Folds the experiment in its turn where that is due. What failed is not tried again for a minute.
  void Consider(const storage::ExperimentRecord& record);

 private:
  void ConsiderAll();
  bool IsDue(const storage::ExperimentRecord& record) const;
  void Run(const std::string& name);
  absl::Status Fold(const std::string& name);

  storage::Store* const store_;
  MemoryBudget* const budget_;
  Registry* const registry_;
  const FoldingOptions options_;  // but for rows and bytes
  mutable std::mutex mutex_;
  int64_t rows_;                                 // guarded by mutex_
  int64_t bytes_;                                // guarded by mutex_
  std::set<std::string> queued_;                 // guarded by mutex_
  std::map<std::string, TimePoint> not_before_;  // guarded by mutex_: after a failure
  bool stopping_ = false;                        // guarded by mutex_
  ThreadPool pool_;
};

}  // namespace kith::experiments
