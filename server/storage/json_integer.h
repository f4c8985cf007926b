// Whole numbers in JSON. The library converts any number to any type, also where that has no meaning in C++.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace kith::storage {

class NotInRange : public nlohmann::json::exception {
 public:
  explicit NotInRange(const std::string& number)
      : exception(0, absl::StrCat(number, " is not a whole number in range").c_str()) {}
};

// Throws json::exception where `value` is no whole number that a T has room for.
template <class T>
T IntegerFrom(const nlohmann::json& value) {
  using Limits = std::numeric_limits<T>;
  static_assert(Limits::is_integer && Limits::is_signed);
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number <= static_cast<uint64_t>(Limits::max())) return static_cast<T>(number);
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    if (number >= Limits::min() && number <= Limits::max()) return static_cast<T>(number);
  }
  throw NotInRange(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace kith::storage
