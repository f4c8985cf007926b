#include "server/app/signals.h"

#include <unistd.h>

#include <thread>

namespace kith::app {

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored, as a supervisor may leave it, it would take the ends of our processes away
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is a failed write, not the end of the process
}

int StopSignals::Wait() const {
  int signal = 0;
  sigwait(&signals_, &signal);
  return signal;
}

bool StopSignals::Came() const {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

void StopSignals::StopAtOnceFromNowOn() const {
  std::thread([signals = signals_] {
    int signal = 0;
    sigwait(&signals, &signal);
    _exit(1);
  }).detach();
}

}  // namespace kith::app
