// IEEE 754 binary16.
#pragma once

#include <cstdint>

namespace kith::npy {

// The float of the same value; infinity, NaN (with its payload) and subnormals included.
float HalfToFloat(uint16_t half);

}  // namespace kith::npy
