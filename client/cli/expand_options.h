// The options that expand and stream share.
#pragma once

#include "CLI/CLI.hpp"
#include "client/cpp/types.h"

namespace kith::cli {

// The search options, --weighting, --index-rate and those of --weighting alpha, written into `params`, which must
// outlive the parsing.
void AddExpandOptions(CLI::App& command, ExpandParams& params);

// For the command's callback: throws CLI::ValidationError where an option of --weighting alpha came without it.
void CheckExpandOptions(const ExpandParams& params);

}  // namespace kith::cli
