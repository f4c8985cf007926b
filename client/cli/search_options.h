// The options that search and expand share.
#pragma once

#include <optional>

#include "CLI/CLI.hpp"
#include "client/cpp/types.h"

namespace kith::cli {

// -k, --nprobe and --k-factor, written into `params`, which must outlive the parsing. Their ranges are the server's.
void AddSearchOptions(CLI::App& command, SearchParams& params);

}  // namespace kith::cli
