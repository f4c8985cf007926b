#include "common/npy/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kith::npy {
namespace {

TEST(HalfToFloat, KnownValues) {
  EXPECT_EQ(HalfToFloat(0x3C00), 1.0f);
  EXPECT_EQ(HalfToFloat(0xC000), -2.0f);
  EXPECT_EQ(HalfToFloat(0x3555), 0.333251953125f);
  EXPECT_EQ(HalfToFloat(0x7BFF), 65504.0f);
  EXPECT_EQ(HalfToFloat(0x0001), 5.9604644775390625e-08f);
  EXPECT_EQ(HalfToFloat(0x03FF), 6.097555160522461e-05f);
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
}

TEST(HalfToFloat, EveryValueIsExact) {
  for (uint32_t half = 0; half <= 0xFFFF; ++half) {
    const int exponent = half >> 10 & 0x1F;
    const int mantissa = half & 0x3FF;
    const float value = HalfToFloat(static_cast<uint16_t>(half));
    ASSERT_EQ(std::signbit(value), half >> 15 == 1) << half;
    if (exponent == 31) {
      ASSERT_EQ(std::isnan(value), mantissa != 0) << half;
      ASSERT_EQ(std::isinf(value), mantissa == 0) << half;
      continue;
    }
    const double fraction = exponent == 0 ? mantissa / 1024.0 : 1 + mantissa / 1024.0;
    ASSERT_EQ(std::abs(value), fraction * std::pow(2.0, std::max(exponent, 1) - 15)) << half;
  }
}

}  // namespace
}  // namespace kith::npy
