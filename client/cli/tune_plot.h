// The candidates of a tuning as a picture.
#pragma once

#include <string>
#include <vector>

#include "client/cpp/types.h"

namespace kith::cli {

// An SVG of two panels over the time a row takes (logarithmic): recall@8 and the cosine of the blended frame. A point
// for each candidate, coloured by the kind of its index, hollow where it is not on the Pareto front, ringed where it is
// the chosen one; its name and numbers in its <title>. The line is the front of that panel alone: what more time buys.
// `title` may have any characters. At least one candidate.
std::string TunePlot(const std::string& title, const std::vector<TuneCandidate>& candidates);

}  // namespace kith::cli
