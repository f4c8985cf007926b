// SIGTERM and SIGINT, waited for instead of handled.
#pragma once

#include <csignal>

namespace kith::app {

// Made before any other thread, which then all leave these signals to Wait.
class StopSignals {
 public:
  StopSignals();

  // Returns the signal that came.
  int Wait() const;

  // Whether one has come; Wait returns it then.
  bool Came() const;

  // From now on a stop signal ends the process at once.
  void StopAtOnceFromNowOn() const;

 private:
  sigset_t signals_;
};

}  // namespace kith::app
