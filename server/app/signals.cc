#include "server/app/signals.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace kith::app {

Signals::Signals() {
  sigemptyset(&stop_);
  sigaddset(&stop_, SIGTERM);
  sigaddset(&stop_, SIGINT);
  all_ = stop_;
  sigaddset(&all_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &all_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored, as a supervisor may leave it, it would take the ends of our processes away
  std::signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is a failed write, not the end of the process
}

int Signals::Wait() const {
  int signal = 0;
  sigwait(&all_, &signal);
  return signal;
}

int Signals::WaitUntil(TimePoint time) const {
  const auto left = std::max<Clock::duration>(time - Clock::now(), Clock::duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  timespec timeout{};
  timeout.tv_sec = seconds.count();
  timeout.tv_nsec = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds).count();
  const int signal = sigtimedwait(&all_, nullptr, &timeout);
  return signal > 0 ? signal : 0;
}

void Signals::StopAtOnceFromNowOn() const {
  std::thread([signals = stop_] {
    int signal = 0;
    sigwait(&signals, &signal);
    _exit(1);
  }).detach();
}

}  // namespace kith::app
