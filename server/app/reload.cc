#include "server/app/reload.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "server/config/changes.h"

namespace kith::app {

void Reload::Run() {
  absl::StatusOr<config::Config> wanted = config::Load(file_);
  if (wanted.ok()) wanted = config::WithOverrides(*std::move(wanted), overrides_);
  if (wanted.ok()) {
    if (const absl::Status status = config::CheckExposure(*wanted); !status.ok()) wanted = status;
  }
  if (!wanted.ok()) {
    spdlog::error("reload: nothing is changed: {}", std::string(wanted.status().message()));
    return;
  }
  const auto changes = config::Changes(running_, *wanted);
  const auto level = spdlog::get_level();
  spdlog::set_level(std::min(level, spdlog::level::info));  // what follows is told at every level
  if (changes.empty()) spdlog::info("reload: {} says what is in force already", file_);
  const config::Config before = std::exchange(running_, config::WithLiveKeys(running_, *wanted));
  for (const config::Change& change : changes) {
    if (change.live) {
      spdlog::info("reload: {} is {} now, and was {}", change.key, change.to, change.from);
    } else {
      spdlog::warn("reload: {} stays {}: to make it {}, restart kithd", change.key, change.from, change.to);
    }
  }
  spdlog::set_level(level);
  apply_(before, running_);
}

}  // namespace kith::app
