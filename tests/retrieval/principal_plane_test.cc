#include "server/retrieval/principal_plane.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace kith::retrieval {
namespace {

constexpr int kDimension = 40;

// Frames that differ by 10 along the sum of the first two coordinates, by 4 along the third, and by 0.3 in all others.
Frames Stretched(int64_t rows, float offset = 100) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  Frames frames{kDimension, std::vector<float>(static_cast<size_t>(rows) * kDimension)};
  for (int64_t i = 0; i < rows; ++i) {
    float* const row = frames.values.data() + i * kDimension;
    for (int j = 0; j < kDimension; ++j) row[j] = offset + 0.3F * normal(random);
    const float along = 10 * normal(random);
    row[0] += along / std::sqrt(2.0F);
    row[1] += along / std::sqrt(2.0F);
    row[2] += 4 * normal(random);
  }
  return frames;
}

std::vector<float> Points(const PrincipalPlane& plane, const Frames& frames) {
  std::vector<float> points(2 * frames.rows());
  plane.Apply(frames.view(), points.data());
  return points;
}

// Of x and y.
double Correlation(const std::vector<double>& x, const std::vector<double>& y) {
  double sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
  const auto n = static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    sx += x[i];
    sy += y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
    xy += x[i] * y[i];
  }
  return (xy - sx * sy / n) / std::sqrt((xx - sx * sx / n) * (yy - sy * sy / n));
}

TEST(PrincipalPlane, FindsTheDirectionsInWhichFramesDifferMost) {
  const Frames frames = Stretched(2000);
  const PrincipalPlane plane(frames.view());
  const double all = 100 + 16 + kDimension * 0.09;
  EXPECT_NEAR(plane.explained()[0], 100 / all, 0.05);
  EXPECT_NEAR(plane.explained()[1], 16 / all, 0.05);
  const std::vector<float> points = Points(plane, frames);
  std::vector<double> first, second, x, y;
  for (int64_t i = 0; i < frames.rows(); ++i) {
    const float* const row = frames.view().row(i);
    first.push_back(row[0] + row[1]);
    second.push_back(row[2]);
    x.push_back(points[2 * i]);
    y.push_back(points[2 * i + 1]);
  }
  EXPECT_GT(std::abs(Correlation(first, x)), 0.99);
  EXPECT_GT(std::abs(Correlation(second, y)), 0.99);
  EXPECT_LT(std::abs(Correlation(x, y)), 0.05);
}

TEST(PrincipalPlane, MostLieWithinTheUnitSquareAndNothingFarFromIt) {
  Frames frames = Stretched(2000);
  const PrincipalPlane plane(frames.view());
  int inside = 0;
  for (const float place : Points(plane, frames)) inside += place > 0 && place < 1 ? 1 : 0;
  EXPECT_GT(inside, 2 * 2000 * 0.98);
  for (float& value : frames.values) value *= 1e20F;
  for (const float place : Points(plane, frames)) EXPECT_TRUE(place == -0.5F || place == 1.5F) << place;
}

TEST(PrincipalPlane, TheSameSampleGivesTheSameMap) {
  const Frames frames = Stretched(300);
  EXPECT_EQ(Points(PrincipalPlane(frames.view()), frames), Points(PrincipalPlane(frames.view()), frames));
}

TEST(PrincipalPlane, FramesThatDoNotDifferLieInTheMiddle) {
  const std::vector<float> middle = {0.5F, 0.5F};
  const Frames one{3, {1, 2, 3}};
  EXPECT_EQ(Points(PrincipalPlane(one.view()), one), middle);
  const Frames same{3, {1, 2, 3, 1, 2, 3, 1, 2, 3}};
  const PrincipalPlane plane(same.view());
  EXPECT_EQ(Points(plane, one), middle);
  EXPECT_EQ(plane.explained()[0], 0);
}

TEST(PrincipalPlane, OneDimensionIsEnough) {
  const Frames line{1, {0, 1, 2, 3, 4}};
  const std::vector<float> points = Points(PrincipalPlane(line.view()), line);
  for (size_t i = 0; i < points.size(); i += 2) {
    EXPECT_EQ(points[i + 1], 0.5F) << "there is no second direction";
    if (i > 0) {
      EXPECT_GT(points[i], points[i - 2]);
    }
  }
}

}  // namespace
}  // namespace kith::retrieval
