// Names inside messages.
#pragma once

#include <string>
#include <string_view>

namespace kith::storage {

// "name", quotes included.
inline std::string Quoted(std::string_view name) { return std::string("\"").append(name).append("\""); }

}  // namespace kith::storage
