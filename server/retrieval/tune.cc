#include "server/retrieval/tune.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/status.h"
#include "server/retrieval/build.h"
#include "server/retrieval/exact.h"
#include "server/retrieval/guard.h"
#include "server/retrieval/normalize.h"
#include "server/retrieval/prepare.h"
#include "server/retrieval/tune_choice.h"
#include "server/retrieval/tune_plan.h"
#include "server/retrieval/yardstick.h"

namespace kith::retrieval {
namespace {

constexpr double kEnoughRecall = 0.99;
constexpr double kPlateau = 0.003;

// `count` of 0 to rows - 1 at random, in order (selection sampling: Knuth, The Art of Computer Programming, 3.4.2, S).
std::vector<int64_t> SampleOf(int64_t rows, int64_t count, int64_t seed) {
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  std::vector<int64_t> sample;
  sample.reserve(count);
  for (int64_t i = 0; i < rows && count > 0; ++i) {
    if (std::uniform_int_distribution<int64_t>(0, rows - i - 1)(random) >= count) continue;
    sample.push_back(i);
    --count;
  }
  return sample;
}

class Tuning {
 public:
  Tuning(const TuneOptions& options, FrameView frames, FrameView queries, TuneObserver observe)
      : options_(options),
        frames_(frames),
        observe_(observe),
        trials_(PlanTrials(frames.rows, frames.dimension, options.metric, options.seed)),
        yardstick_(frames, queries, options.metric) {}

  absl::StatusOr<std::vector<TuneCandidate>> Run() {
    for (const Trial& trial : trials_) {
      if (absl::Status status = Try(trial); !status.ok()) return status;
      ++done_;
    }
    std::stable_sort(candidates_.begin(), candidates_.end(), [](const TuneCandidate& a, const TuneCandidate& b) {
      return a.microseconds_per_row < b.microseconds_per_row;
    });
    MarkParetoFront(&candidates_);
    MarkChosen(options_.target_recall, &candidates_);
    return std::move(candidates_);
  }

 private:
  bool Observe(const std::string& step) { return observe_(step, done_, static_cast<int>(trials_.size())); }

  static absl::Status Cancelled() { return Error(Reason::kCancelled, "the tuning was cancelled"); }

  absl::Status Try(const Trial& trial) {
    name_ = TrialName(trial.recipe);
    if (absl::Status status = Prepare(trial.recipe); !status.ok()) {
      return absl::IsCancelled(status) ? Cancelled() : status;
    }
    auto index = Build(trial);
    if (!index.ok()) return index.status();
    if (trial.k_factors.empty()) return SweepNprobe(trial, **index, std::nullopt);
    for (const float k_factor : trial.k_factors) {
      if (absl::Status status = SweepNprobe(trial, **index, k_factor); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Compresses and expands as the recipe says, unless the trial before had the same done: PlanTrials keeps them
  // together.
  absl::Status Prepare(const Recipe& recipe) {
    Recipe preparation;
    preparation.seed = recipe.seed;
    preparation.compression = recipe.compression;
    preparation.expansion = recipe.expansion;
    const std::string name = TrialName(preparation);
    if (name == prepared_name_) return absl::OkStatus();
    const TimePoint start = Clock::now();
    auto prepared = PrepareFrames(preparation, frames_, [&](BuildPhase, int64_t, int64_t) { return Observe(name_); });
    if (!prepared.ok()) return prepared.status();
    prepare_seconds_ = SecondsSince(start);
    prepared_ = *std::move(prepared);
    exact_ = prepared_ ? yardstick_.ExactIn(stored()) : yardstick_.exact();
    prepared_name_ = name;
    return absl::OkStatus();
  }

  FrameView stored() const { return prepared_ ? prepared_->view() : frames_; }

  absl::StatusOr<std::unique_ptr<Index>> Build(const Trial& trial) {
    const TimePoint start = Clock::now();
    bool measuring = false;  // what is built then
    Recipe recipe = trial.recipe;
    const auto shape = PlanBuild(recipe, trial.rows, frames_.dimension);
    if (!shape.ok()) return shape.status();
    if (shape->nprobe != 0) recipe.nprobe = 1;  // or the build would look for one
    auto index = BuildIndex(recipe, stored(), [&](BuildPhase phase, int64_t, int64_t) {
      if (phase != BuildPhase::kMeasuring || !measuring) build_seconds_ = prepare_seconds_ + SecondsSince(start);
      measuring = phase == BuildPhase::kMeasuring;
      return Observe(name_);
    });
    if (absl::IsCancelled(index.status())) return Cancelled();
    return index;
  }

  // More and more lists, until nearly every neighbour is found or more lists find no more.
  absl::Status SweepNprobe(const Trial& trial, const Index& index, std::optional<float> k_factor) {
    SearchOptions options{Yardstick::NeighborsAmong(index.rows()), std::nullopt, k_factor};
    const int64_t nlist = index.report().nlist;
    double best = 0;
    for (int nprobe = nlist > 0 ? 1 : 0;; nprobe = NextNprobe(nprobe, nlist)) {
      if (nprobe > 0) options.nprobe = nprobe;
      if (absl::Status status = Measure(trial, index, options); !status.ok()) return status;
      const double recall = candidates_.back().recall_at_8;
      if (nprobe >= nlist || recall >= kEnoughRecall || (nprobe > 1 && recall < best + kPlateau))
        return absl::OkStatus();
      best = recall;
    }
  }

  absl::Status Measure(const Trial& trial, const Index& index, const SearchOptions& options) {
    if (!Observe(SettingName(options))) return Cancelled();
    const auto params = index.Resolve(options);
    if (!params.ok()) return params.status();
    const auto quality = yardstick_.Measure(index, *params, exact_);
    if (!quality.ok()) return quality.status();
    const auto microseconds = yardstick_.MicrosecondsPerRow(index, *params);
    if (!microseconds.ok()) return microseconds.status();
    TuneCandidate candidate;
    candidate.recipe = trial.recipe;
    candidate.recipe.nprobe = options.nprobe;
    candidate.recipe.k_factor = options.k_factor;
    candidate.factory = index.report().factory;
    candidate.rows = index.rows();
    candidate.recall_at_8 = quality->recall_at_8;
    candidate.blend_cosine = quality->blend_cosine;
    candidate.microseconds_per_row = *microseconds;
    candidate.bytes = index.bytes();
    candidate.build_seconds = build_seconds_;
    candidates_.push_back(std::move(candidate));
    return absl::OkStatus();
  }

  std::string SettingName(const SearchOptions& options) const {
    std::string name = name_;
    if (options.nprobe) absl::StrAppend(&name, ", nprobe ", *options.nprobe);
    if (options.k_factor) absl::StrAppend(&name, ", k_factor ", *options.k_factor);
    return name;
  }

  const TuneOptions options_;
  const FrameView frames_;
  const TuneObserver observe_;
  const std::vector<Trial> trials_;
  const Yardstick yardstick_;
  std::vector<TuneCandidate> candidates_;
  int done_ = 0;

  // Of the trial's preparation.
  std::optional<std::string> prepared_name_;
  std::optional<Frames> prepared_;  // nothing: the frames as they are
  std::vector<int64_t> exact_;      // in stored()
  double prepare_seconds_ = 0;
  std::string name_;          // of the trial
  double build_seconds_ = 0;  // of the trial's index
};

absl::Status CheckQueries(FrameView frames, FrameView queries) {
  if (queries.rows == 0 || queries.dimension == frames.dimension) return absl::OkStatus();
  return Error(Reason::kDimensionMismatch,
               absl::StrCat("the queries have ", queries.dimension, " dimensions and the frames ", frames.dimension));
}

}  // namespace

absl::Status CheckTuneOptions(const TuneOptions& options) {
  if (options.sample < 0) {
    return Error(Reason::kBadParameter, absl::StrCat("sample: ", options.sample, " is out of range; 0 or more"));
  }
  // Written so that a NaN fails as well.
  if (!(options.target_recall > 0 && options.target_recall <= 1)) {
    return Error(Reason::kBadParameter,
                 absl::StrCat("target_recall: ", options.target_recall, " is out of range; above 0, at most 1"));
  }
  return absl::OkStatus();
}

Frames FramesToTune(const Index& index, const TuneOptions& options) {
  const int64_t rows = index.rows();
  if (options.sample <= 0 || options.sample >= rows) return index.CopyFrames();
  return index.CopyRows(SampleOf(rows, options.sample, options.seed));
}

absl::StatusOr<std::vector<TuneCandidate>> Tune(const TuneOptions& options, FrameView frames, FrameView queries,
                                                TuneObserver observe) {
  if (absl::Status status = CheckTuneOptions(options); !status.ok()) return status;
  if (absl::Status status = CheckQueries(frames, queries); !status.ok()) return status;
  if (absl::Status status = CheckNorms(frames); !status.ok()) return status;
  absl::StatusOr<std::vector<TuneCandidate>> candidates;
  const absl::Status status = Guarded("tuning", [&] {
    Frames mixtures;
    if (queries.rows == 0) {
      mixtures = Mixtures(frames, kMeasuringQueries, options.seed);
      queries = mixtures.view();
    }
    candidates = Tuning(options, frames, queries, observe).Run();
    return candidates.status();
  });
  if (!status.ok()) return status;
  return candidates;
}

}  // namespace kith::retrieval
