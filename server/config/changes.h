// What differs between two configurations, and which of it a running server can take on.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/config/config.h"

namespace kith::config {

struct Change {
  std::string key;   // "limits.k"
  std::string from;  // the values, as a message shows them
  std::string to;
  bool live = false;  // else it takes a restart
};

// In the order of Keys().
std::vector<Change> Changes(const Config& running, const Config& wanted);

// Whether a running server can take a change of the key on. False too where there is no such key.
bool IsLive(absl::string_view key);

// `running` with the live keys of `wanted`.
Config WithLiveKeys(Config running, const Config& wanted);

// The value of the key in `config`, as a message shows it; empty where there is no such key.
std::string Shown(absl::string_view key, const Config& config);

}  // namespace kith::config
