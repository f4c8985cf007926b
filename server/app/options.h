// The command line of kithd.
#pragma once

#include <optional>
#include <string>

#include "server/config/config.h"

namespace kith::app {

struct Options {
  config::Config config;
  std::string file;  // --config; empty: none
  config::Overrides overrides;
  bool check_config = false;         // only check the configuration
  std::optional<std::string> check;  // only verify this data folder
};

// Reads flags and configuration file. Where there is nothing to serve (help, version, or an error, each already
// printed) gives the exit code instead: 0, or 2 for a wrong command line or configuration.
struct ParsedOptions {
  std::optional<Options> options;
  int exit_code = 0;
};
ParsedOptions ParseOptions(int argc, char** argv);

}  // namespace kith::app
