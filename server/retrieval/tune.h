// Tries recipes and search parameters on frames, and measures what each is worth.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/retrieval/frames.h"
#include "server/retrieval/index.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

struct TuneOptions {
  Metric metric = Metric::kL2;
  int64_t sample = 0;  // frames to try it on, see FramesToTune; 0, or more than there are: all
  double target_recall = 0.95;
  int64_t seed = 1234;
};

// OK where sample is not negative and target_recall is above 0 and at most 1; otherwise BAD_PARAMETER.
absl::Status CheckTuneOptions(const TuneOptions& options);

// One recipe with one setting of its search parameters, measured. `recall_at_8` is held against exact search in the
// frames that the index stores; `blend_cosine` is the mean cosine of a query blended as RVC does (8 neighbours, inverse
// square, index_rate 1) to the same blend by exact search in all frames tried, so that it tells what compression and
// expansion change as well.
struct TuneCandidate {
  Recipe recipe;        // complete: nprobe and k_factor where the index has them
  std::string factory;  // what faiss was given
  int64_t rows = 0;     // stored, after compression
  double recall_at_8 = 0;
  double blend_cosine = 0;
  double microseconds_per_row = 0;  // search and blend in blocks of 16 rows, on one thread; the median
  int64_t bytes = 0;                // Index::bytes()
  double build_seconds = 0;         // compression, expansion, training and adding
  bool pareto = false;              // see MarkParetoFront (tune_choice.h)
  bool chosen = false;              // see MarkChosen
};

// Told what is tried now and how many of the indexes are done; false stops before the next step. A k-means of a
// product quantiser is one step.
using TuneObserver = absl::FunctionRef<bool(const std::string& step, int done, int total)>;

// What a tuning of `index` is given: options.sample of its frames, drawn at random, the same for a seed, or all. No
// other frame is copied. Throws std::bad_alloc.
Frames FramesToTune(const Index& index, const TuneOptions& options);

// Measures every trial of PlanTrials (tune_plan.h) on all of `frames` in the calling thread, with its number of OpenMP
// threads but for the timing. The candidates come fastest first. `frames` has at least one row; without `queries` it
// makes kMeasuringQueries of them (exact.h). Memory, besides what it is given: the frames of one preparation, and one
// index with the frames that it stores.
//
// BAD_PARAMETER as CheckTuneOptions; DIMENSION_MISMATCH; NOT_FINITE for a frame with a norm above kMaxNorm
// (normalize.h); CANCELLED where the observer said so; MEMORY_BUDGET where there was no memory; INTERNAL where faiss
// fails.
absl::StatusOr<std::vector<TuneCandidate>> Tune(const TuneOptions& options, FrameView frames, FrameView queries,
                                                TuneObserver observe);

}  // namespace kith::retrieval
