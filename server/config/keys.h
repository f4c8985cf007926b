// The keys that a configuration may have, and what each one takes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"

namespace kith::config {

struct Key {
  std::string name;  // with its section: "limits.k"
  // Checks the value and puts it into the Config. An error says what is wrong with the value, without the key's name.
  std::function<absl::Status(absl::string_view value, Config& config)> set;
  bool list = false;  // takes a list; `set` is called for each value in it
};

const std::vector<Key>& Keys();

// Null where there is no such key.
const Key* FindKey(absl::string_view name);

// True for the part of a key's name in front of one of its dots: "limits".
bool IsSection(absl::string_view name);

// What to say of a name that is neither a key nor a section: the nearest one that is, where there is one.
std::string Advice(absl::string_view unknown);

// A rule over several keys. Its error names them all.
struct Rule {
  std::vector<std::string> keys;  // where the fault may be, the likeliest first
  absl::Status (*check)(const Config& config);
};

const std::vector<Rule>& Rules();

}  // namespace kith::config
