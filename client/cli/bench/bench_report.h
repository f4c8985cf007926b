// What kith bench prints.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/cli/bench/load.h"
#include "client/cli/context.h"
#include "client/cpp/types.h"

namespace kith::cli {

struct BenchReport {
  LoadOptions load;  // as it was asked for
  LoadResult result;
  std::optional<std::vector<Histogram>> server;  // observed meanwhile; none where the server does not tell

  Json ToJson() const;
  std::string ToText() const;
  // What is to be said on stderr; empty where all blocks were answered.
  std::string Message() const;
  // kFailed where blocks failed otherwise than by being late, or nothing was measured.
  ExitCode exit_code() const;
};

}  // namespace kith::cli
