// Counts by experiment, for a bounded number of experiments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "server/base/clock.h"

namespace kith::telemetry {

// What was counted of an experiment, or of several together.
struct ExperimentCounts {
  std::string experiment;
  int64_t blocks = 0;
  int64_t rows = 0;
  int64_t nanoseconds = 0;
  int64_t late = 0;
  int64_t refused = 0;
};

// Those that are counted together. An experiment of that name is always among them.
inline constexpr char kOtherExperiments[] = "other";

// Gives series of their own to the experiments that are busiest, and counts the rest together. A series counts what is
// done from the moment that it is there, and the rest what is done by others meanwhile, so that none ever falls, and
// all of them together count everything once. Thread-safe.
class ExperimentSeries {
 public:
  // At most so many have series of their own; 0 or more.
  explicit ExperimentSeries(size_t most) : most_(most) {}

  // Takes note of what the experiments' counts are now, which `read` gives in order of their names; those that are not
  // among them have been deleted, and so are their series. Gives what is to be shown: by name, the others last. `read`
  // is called with a lock held, so that no update has older counts than the one before it.
  std::vector<ExperimentCounts> Update(const std::function<std::vector<ExperimentCounts>()>& read, TimePoint time);

 private:
  struct Known {
    ExperimentCounts last;   // at the last update
    ExperimentCounts shown;  // its series, where it has one
    bool has_series = false;
    double busy = 0;  // blocks of the last minutes, older ones counting less and less
    bool seen = false;
  };

  void Take(const ExperimentCounts& now, double decay);
  void StartSeries(const std::string& experiment, Known* known);
  void ShareOut();

  const size_t most_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // guarded by mutex_
  ExperimentCounts others_;             // guarded by mutex_
  size_t series_ = 0;                   // guarded by mutex_
  TimePoint updated_;                   // guarded by mutex_
};

}  // namespace kith::telemetry
