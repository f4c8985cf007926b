#include "server/telemetry/experiment_series.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace kith::telemetry {
namespace {

// For how long a block keeps its experiment busy, about.
constexpr std::chrono::minutes kMemory(5);

// One that has no series has to be so many times as busy as one that has, to take its place.
constexpr double kAdvantage = 1.5;

constexpr int64_t ExperimentCounts::*kCounts[] = {&ExperimentCounts::blocks, &ExperimentCounts::rows,
                                                  &ExperimentCounts::nanoseconds, &ExperimentCounts::late,
                                                  &ExperimentCounts::refused};

// What came since. One that fell is of a new experiment of an old name, and starts at 0.
ExperimentCounts Since(const ExperimentCounts& last, const ExperimentCounts& now) {
  ExperimentCounts since;
  const bool anew =
      std::any_of(std::begin(kCounts), std::end(kCounts), [&](auto count) { return now.*count < last.*count; });
  for (const auto count : kCounts) since.*count = now.*count - (anew ? 0 : last.*count);
  return since;
}

void Add(const ExperimentCounts& more, ExperimentCounts* sum) {
  for (const auto count : kCounts) sum->*count += more.*count;
}

}  // namespace

std::vector<ExperimentCounts> ExperimentSeries::Update(const std::function<std::vector<ExperimentCounts>()>& read,
                                                       TimePoint time) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::vector<ExperimentCounts> now = read();
  const double minutes = std::chrono::duration<double, std::ratio<60>>(time - std::exchange(updated_, time)).count();
  const double decay =
      std::exp(-std::max(0.0, minutes) / std::chrono::duration<double, std::ratio<60>>(kMemory).count());
  for (const ExperimentCounts& counts : now) Take(counts, decay);
  for (auto next = known_.begin(); next != known_.end();) {
    if (std::exchange(next->second.seen, false)) {
      ++next;
    } else {
      if (next->second.has_series) --series_;
      next = known_.erase(next);
    }
  }
  ShareOut();
  std::vector<ExperimentCounts> shown;
  for (const auto& [name, known] : known_) {
    if (known.has_series) shown.push_back(known.shown);
  }
  shown.push_back(others_);
  shown.back().experiment = kOtherExperiments;
  return shown;
}

void ExperimentSeries::Take(const ExperimentCounts& now, double decay) {
  const auto [place, is_new] = known_.try_emplace(now.experiment);
  Known& known = place->second;
  if (is_new && series_ < most_ && now.experiment != kOtherExperiments) StartSeries(now.experiment, &known);
  const ExperimentCounts since = Since(known.last, now);
  Add(since, known.has_series ? &known.shown : &others_);
  known.last = now;
  known.busy = known.busy * decay + static_cast<double>(since.blocks);
  known.seen = true;
}

void ExperimentSeries::StartSeries(const std::string& experiment, Known* known) {
  ++series_;
  known->has_series = true;
  known->shown = {};
  known->shown.experiment = experiment;
}

void ExperimentSeries::ShareOut() {
  std::vector<std::pair<const std::string, Known>*> with;
  std::vector<std::pair<const std::string, Known>*> without;
  for (auto& known : known_) {
    if (known.first != kOtherExperiments) (known.second.has_series ? with : without).push_back(&known);
  }
  const auto busier = [](const auto* a, const auto* b) { return a->second.busy > b->second.busy; };
  std::sort(with.begin(), with.end(), busier);
  std::sort(without.begin(), without.end(), busier);
  for (auto* next : without) {
    const bool has_room = series_ < most_;
    if (!has_room && !with.empty() && next->second.busy > kAdvantage * with.back()->second.busy) {
      with.back()->second.has_series = false;
      with.pop_back();
      --series_;
    } else if (!has_room) {
      break;
    }
    StartSeries(next->first, &next->second);
  }
}

}  // namespace kith::telemetry
