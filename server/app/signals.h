// The signals that kithd heeds, waited for instead of handled.
#pragma once

#include <csignal>

#include "server/base/clock.h"

namespace kith::app {

// Made before any other thread, which then all leave these signals to Wait.
class Signals {
 public:
  Signals();

  // Waits for SIGTERM, SIGINT or SIGHUP, and gives which one came.
  int Wait() const;
  // The same, but gives 0 where none comes until `time`, or now and then before.
  int WaitUntil(TimePoint time) const;

  // From now on SIGTERM or SIGINT ends the process at once.
  void StopAtOnceFromNowOn() const;

 private:
  sigset_t stop_;
  sigset_t all_;
};

}  // namespace kith::app
