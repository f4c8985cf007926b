// Where the server says that the time of its blocks went, between two looks at its histograms.
#pragma once

#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

// What was observed after `before` was taken and until `after` was: those of `after` without what `before` has. A
// histogram that `before` lacks, or that has other bounds or fewer values there (the server was started anew), counts
// as a whole.
std::vector<Histogram> Observed(const std::vector<Histogram>& before, const std::vector<Histogram>& after);

// The value that `percent` (0 to 100) of all do not exceed, between the bounds of its bucket by rank; the last bound
// for what is above that. Not for an empty histogram.
double PercentileOf(const Histogram& histogram, double percent);

// {"block_queue_ms": {"count", "mean", "p50", "p95", "p99"}, ...}: the names without "kith_", seconds as milliseconds.
// The figures of an empty histogram are null.
Json HistogramsJson(const std::vector<Histogram>& histograms);
std::string HistogramsText(const std::vector<Histogram>& histograms);

}  // namespace kith::cli
