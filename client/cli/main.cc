#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <iostream>

#include "client/cli/app.h"
#include "client/cli/interrupt.h"

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);                           // a reader that went away is a write error
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // what it logs is told in our own words
  kith::cli::Interrupt interrupt;
  kith::cli::Context context{std::cout,    std::cerr,     isatty(STDERR_FILENO) != 0,
                             STDIN_FILENO, STDOUT_FILENO, interrupt.cancellation()};
  return kith::cli::RunKith(argc, argv, context);
}
