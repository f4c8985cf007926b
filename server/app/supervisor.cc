#include "server/app/supervisor.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>

namespace kith::app {
namespace {

long long MonotonicMicroseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000LL + now.tv_nsec / 1000;
}

}  // namespace

void TellReady(const std::string& status) { sd_notifyf(0, "READY=1\nSTATUS=%s", status.c_str()); }

// The time is for Type=notify-reload of later versions of systemd.
void TellReloading() { sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", MonotonicMicroseconds()); }

void TellStopping() { sd_notify(0, "STOPPING=1\nSTATUS=draining"); }

std::optional<std::chrono::microseconds> WatchdogInterval() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0 || microseconds == 0) return std::nullopt;
  return std::chrono::microseconds(microseconds / 2);
}

void TellAlive() { sd_notify(0, "WATCHDOG=1"); }

}  // namespace kith::app
