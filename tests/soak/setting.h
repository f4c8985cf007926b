// How the scripts ask for the long forms, and how these tell what they measured.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace kith::soak {

// A whole number from the environment.
inline int64_t Setting(const char* variable, int64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoll(text);
}

inline double Mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

}  // namespace kith::soak
