// The kernels that work on bytes, which only some processors have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "server/retrieval/kernels/kernels.h"
#include "tests/support/frames.h"

namespace kith::retrieval {
namespace {

class ByteKernelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (kernels_ == nullptr) GTEST_SKIP() << "this processor has no vnni";
  }

  // Any numbers from -127 to 127, that stay the same.
  static std::vector<int8_t> Codes(int count, int seed) {
    std::vector<int8_t> codes(count);
    for (int i = 0; i < count; ++i) codes[i] = static_cast<int8_t>((i * 7919 + seed * 104729) % 255 - 127);
    return codes;
  }

  const Kernels* const kernels_ = FindKernels("vnni");
};

TEST_F(ByteKernelsTest, EncodedBytesAreAsNearAsTheySay) {
  for (const int dimension : {1, 3, 15, 16, 17, 100, 257, 768}) {
    SCOPED_TRACE(dimension);
    const Frames rows = kith::testing::SpeechLike(2, dimension);
    const float* values = rows.view().row(0);
    const float* origin = rows.view().row(1);
    constexpr int8_t kUntouched = -128;
    std::vector<int8_t> codes(dimension + 16, kUntouched);
    const ByteCode code = kernels_->encode_bytes(values, origin, dimension, codes.data());
    double norm = 0;
    double error = 0;
    int largest = 0;
    for (int j = 0; j < dimension; ++j) {
      const double encoded = static_cast<double>(code.scale) * codes[j];
      const double off = static_cast<double>(values[j]) - origin[j] - encoded;
      EXPECT_LE(std::abs(off), 0.51 * code.scale) << "value " << j;
      norm += encoded * encoded;
      error += off * off;
      largest = std::max(largest, std::abs(codes[j]));
    }
    EXPECT_EQ(largest, 127) << "less of the range is used than there is";
    EXPECT_NEAR(code.squared_norm, norm, 1e-5 * norm);
    EXPECT_NEAR(code.error, std::sqrt(error), 1e-4 * code.scale * std::sqrt(dimension));
    EXPECT_TRUE(std::all_of(codes.begin() + dimension, codes.end(), [](int8_t byte) { return byte == kUntouched; }));
  }
}

TEST_F(ByteKernelsTest, WhatIsTooSmallToBeEncodedIsErrorAlone) {
  for (const float value : {0.0f, 1e-38f, 1e-30f}) {
    const std::vector<float> values(19, value);
    const std::vector<float> origin(19);
    std::vector<int8_t> codes(19, 1);
    const ByteCode code = kernels_->encode_bytes(values.data(), origin.data(), 19, codes.data());
    EXPECT_EQ(codes, std::vector<int8_t>(19)) << value;
    EXPECT_EQ(code.squared_norm, 0) << value;
    EXPECT_TRUE(std::isfinite(code.error)) << value;
  }
}

TEST_F(ByteKernelsTest, ScoresOfBytesAreByTheFormulaForAnyNumberOfRows) {
  for (const int steps : {1, 2, 5, 65}) {
    const std::vector<int8_t> codes = Codes(steps * 4 * kBytePanelWidth, 1);
    std::vector<float> scales(kBytePanelWidth);
    std::vector<float> norms(kBytePanelWidth);
    std::vector<int32_t> offsets(kBytePanelWidth);
    for (int i = 0; i < kBytePanelWidth; ++i) {
      scales[i] = 0.01f * static_cast<float>(i + 1);
      norms[i] = static_cast<float>(i * i);
      offsets[i] = 1000 * i - 7;
    }
    const BytePanel panel{codes.data(), scales.data(), norms.data(), offsets.data()};
    for (int count = 1; count <= kBytePanelRows; ++count) {
      SCOPED_TRACE(::testing::Message() << steps << " steps, " << count << " rows");
      std::vector<std::vector<uint8_t>> rows;
      std::vector<const uint8_t*> pointers;
      std::vector<float> factors;
      for (int r = 0; r < count; ++r) {
        const std::vector<int8_t> signed_row = Codes(steps * 4, r + 2);
        rows.emplace_back(signed_row.begin(), signed_row.end());  // 0 to 255
        factors.push_back(0.5f * static_cast<float>(r - 3));
      }
      pointers.reserve(rows.size());
      for (const std::vector<uint8_t>& row : rows) pointers.push_back(row.data());
      constexpr int64_t kStride = kBytePanelWidth + 5;
      constexpr float kUntouched = -12345.0f;
      std::vector<float> scores(count * kStride, kUntouched);
      kernels_->score_bytes(panel, steps, pointers.data(), factors.data(), count, kStride, scores.data());
      for (int r = 0; r < count; ++r) {
        for (int i = 0; i < kBytePanelWidth; ++i) {
          int64_t product = -offsets[i];
          for (int j = 0; j < steps * 4; ++j) {
            product += int64_t{rows[r][j]} * codes[(j / 4 * kBytePanelWidth + i) * 4 + j % 4];
          }
          const double change = static_cast<double>(factors[r]) * scales[i] * static_cast<double>(product);
          EXPECT_NEAR(scores[r * kStride + i], norms[i] + change, 1e-5 * (norms[i] + std::abs(change) + 1))
              << "row " << r << ", centroid " << i;
        }
        for (int i = kBytePanelWidth; i < kStride; ++i) EXPECT_EQ(scores[r * kStride + i], kUntouched);
      }
    }
  }
}

// Vectors in panels, as their fields and codes.
class Sketches {
 public:
  Sketches(int count, int steps) : steps_(steps) {
    panels_.resize((count + kSketchLanes - 1) / kSketchLanes * panel_bytes());
  }

  void Put(int i, float scale, float rest, float error, const std::vector<int8_t>& codes) {
    uint8_t* const bytes = panels_.data() + i / kSketchLanes * panel_bytes();
    const int lane = i % kSketchLanes;
    SketchPanel panel;
    std::memcpy(&panel, bytes, sizeof(panel));
    double norm = 0;
    for (int j = 0; j < steps_ * 4; ++j) {
      norm += std::pow(static_cast<double>(scale) * codes[j], 2);
      const int place = (j / 4 * kSketchLanes + lane) * 4 + j % 4;
      bytes[sizeof(panel) + place] = static_cast<uint8_t>(codes[j] + 128);
    }
    panel.scale[lane] = scale;
    panel.squared_norm[lane] = static_cast<float>(norm);
    panel.rest[lane] = rest;
    panel.error[lane] = error;
    std::memcpy(bytes, &panel, sizeof(panel));
  }

  const uint8_t* panels() const { return panels_.data(); }

 private:
  size_t panel_bytes() const { return sizeof(SketchPanel) + size_t{4} * kSketchLanes * steps_; }

  const int steps_;
  std::vector<uint8_t> panels_;
};

double SquareAtLeast(double length, double off) { return std::pow(std::max(0.0, length - off), 2); }

TEST_F(ByteKernelsTest, BoundsOfSketchesAreByTheTriangleInequalityForAnyNumberOfVectors) {
  constexpr float kScale = 0.02f;
  constexpr float kRest = 3;
  for (const int steps : {4, 8, 24}) {
    const std::vector<int8_t> query_codes = Codes(steps * 4, 0);
    double norm = 0;
    int sum = 0;
    for (const int8_t code : query_codes) {
      norm += std::pow(static_cast<double>(kScale) * code, 2);
      sum += code;
    }
    for (const float off : {0.0f, 0.25f}) {
      const SketchedQuery query{query_codes.data(), sum, {kScale, static_cast<float>(norm), 0}, kRest, off};
      for (const int count : {1, 15, 16, 17, 33}) {
        SCOPED_TRACE(::testing::Message() << steps << " steps, " << count << " vectors, off by " << off);
        Sketches sketches(count, steps);
        std::vector<double> expected;
        for (int i = 0; i < count; ++i) {
          const std::vector<int8_t> codes = Codes(steps * 4, i);  // the first is the query itself
          const float scale = kScale * static_cast<float>(1 + i % 3);
          const float rest = kRest + 0.5f * static_cast<float>(i % 5);
          sketches.Put(i, scale, rest, off, codes);
          double inside = 0;
          for (int j = 0; j < steps * 4; ++j) {
            inside += std::pow(static_cast<double>(kScale) * query_codes[j] - static_cast<double>(scale) * codes[j], 2);
          }
          expected.push_back(SquareAtLeast(std::sqrt(inside), 2 * off) + SquareAtLeast(rest - kRest, 2 * off));
        }
        constexpr float kUntouched = -1.0f;
        std::vector<float> bounds(count + kSketchLanes, kUntouched);
        kernels_->sketch_bounds(query, sketches.panels(), count, steps, bounds.data());
        for (int i = 0; i < count; ++i) {
          EXPECT_LE(bounds[i], expected[i] * (1 + 1e-6)) << "vector " << i;
          EXPECT_GE(bounds[i], expected[i] - 1e-4 * (norm + expected[i])) << "vector " << i;
        }
        for (int i = count; i < count + kSketchLanes; ++i) EXPECT_EQ(bounds[i], kUntouched) << "vector " << i;
      }
    }
  }
}

}  // namespace
}  // namespace kith::retrieval
