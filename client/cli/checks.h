// Checks of option values, with messages short enough to read.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kith::cli {

// One of the names, in any case, and nothing else: CLI11's own transformers take the enumeration's numbers as well.
template <typename Value>
CLI::Validator OneOf(const std::map<std::string, Value>& names) {
  const auto to_number = [names](std::string& input) {
    const auto found = names.find(absl::AsciiStrToLower(input));
    if (found != names.end()) {
      input = absl::StrCat(static_cast<int>(found->second));
      return std::string();
    }
    std::string known;
    for (const auto& [name, value] : names) absl::StrAppend(&known, known.empty() ? "" : ", ", name);
    return absl::StrCat(input, " is none of ", known);
  };
  return CLI::Validator(to_number, "");
}

// A whole number of things, one at least.
inline CLI::Validator AtLeastOne() {
  const auto check = [](std::string& input) {
    int64_t count = 0;
    const bool good = absl::SimpleAtoi(input, &count) && count >= 1;
    return good ? std::string() : absl::StrCat(input, " is no whole number from 1 on");
  };
  return CLI::Validator(check, "");
}

// A share that is to be reached.
inline CLI::Validator AboveZeroToOne() {
  const auto check = [](std::string& input) {
    double share = 0;
    const bool good = absl::SimpleAtod(input, &share) && share > 0 && share <= 1;
    return good ? std::string() : absl::StrCat(input, " is out of range; above 0, at most 1");
  };
  return CLI::Validator(check, "");
}

// A time: more than nothing, and no more than can be counted.
inline CLI::Validator Seconds() {
  constexpr double kMost = 1e9;
  const auto check = [](std::string& input) {
    double seconds = 0;
    const bool good = absl::SimpleAtod(input, &seconds) && seconds > 0 && seconds <= kMost;
    return good ? std::string() : absl::StrCat(input, " is no time in seconds; more than 0, up to 1e9");
  };
  return CLI::Validator(check, "");
}

// What may name a call.
inline CLI::Validator RequestId() {
  constexpr size_t kMostBytes = 128;
  const auto check = [](std::string& input) {
    const bool visible = absl::c_all_of(input, [](unsigned char c) { return absl::ascii_isgraph(c); });
    const bool good = visible && !input.empty() && input.size() <= kMostBytes;
    return good ? std::string() : std::string("an id is 1 to 128 characters of visible ASCII");
  };
  return CLI::Validator(check, "");
}

}  // namespace kith::cli
