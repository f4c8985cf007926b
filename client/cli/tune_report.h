// What `kith tune` prints.
#pragma once

#include <string>
#include <vector>

#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

// "compressed to 1813, IVF170,Flat, nprobe 8": the index and its setting.
std::string CandidateName(const TuneCandidate& candidate);

// An aligned table in the given order, under a line of headings: the Pareto front and the chosen one, or all of them.
// '*' marks the chosen one and, with `all`, '+' those on the front.
std::string CandidateTable(const std::vector<TuneCandidate>& candidates, bool all);

// Every candidate: factory, compression and expansion (null without), nprobe and k_factor (null where the index has
// none), and the measurements.
Json CandidatesJson(const std::vector<TuneCandidate>& candidates);

}  // namespace kith::cli
