// kithd --check.
#pragma once

#include <string>

namespace kith::app {

// Verifies a data folder and prints a line for its catalogue and each experiment. The exit code: 0 all is well, 1 for
// faults, 2 where it is no data folder.
int CheckData(const std::string& data_dir);

}  // namespace kith::app
