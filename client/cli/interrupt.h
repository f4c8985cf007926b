// Ctrl-C and SIGTERM as something that a command can wait for.
#pragma once

#include <thread>

#include "client/cpp/cancellation.h"

namespace kith::cli {

// Made first thing in main, before any thread: blocks SIGINT and SIGTERM for the process and waits for them in a thread
// of its own. The first one cancels `cancellation()`; the second ends the process with exit code 1.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  Cancellation& cancellation() { return cancellation_; }

 private:
  void Run();

  Cancellation cancellation_;
  std::thread thread_;
};

}  // namespace kith::cli
