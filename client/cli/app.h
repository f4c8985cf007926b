// `kith` without main: so that tests can run it in their own process.
#pragma once

#include "client/cli/context.h"

namespace kith::cli {

// Parses the command line, runs the command and gives the exit code.
int RunKith(int argc, const char* const* argv, Context& context);

}  // namespace kith::cli
