// The options that expand and stream share.
#pragma once

#include "CLI/CLI.hpp"
#include "client/cpp/types.h"

namespace kith::cli {

// The search options, --weighting, --alpha and --index-rate, written into `params`, which must outlive the parsing.
void AddExpandOptions(CLI::App& command, ExpandParams& params);

}  // namespace kith::cli
