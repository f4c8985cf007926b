// What kithd tells the systemd that started it (Type=notify); nobody is told where none did.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace kith::app {

// It serves now. `status` is the line that systemctl status shows.
void TellReady(const std::string& status);
// The configuration is being read again; TellReady ends that.
void TellReloading();
// It drains.
void TellStopping();

// How often systemd wants to hear that all is well, twice over; none where it does not watch (WatchdogSec).
std::optional<std::chrono::microseconds> WatchdogInterval();
// All is well.
void TellAlive();

}  // namespace kith::app
