// Files that numpy wrote, where the folder of real frames is there.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/npy/npy.h"

namespace kith::npy {
namespace {

struct RealFile {
  const char* name;
  int64_t rows;
  int64_t columns;
};

class RealFiles : public ::testing::TestWithParam<RealFile> {};

std::string Contents(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path).rdbuf();
  return bytes.str();
}

TEST_P(RealFiles, AreReadAndWrittenByteForByte) {
  const std::string path = std::string(KITH_SHARED_DATA "/") + GetParam().name;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no real frames at " << path;
  const absl::StatusOr<Matrix> matrix = ReadMatrix(path);
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->rows, GetParam().rows);
  EXPECT_EQ(matrix->columns, GetParam().columns);
  for (const float value : matrix->values) ASSERT_TRUE(std::isfinite(value));

  const std::string copy = ::testing::TempDir() + "kith-real-" + std::to_string(matrix->rows) + "x" +
                           std::to_string(matrix->columns) + "-" + std::to_string(getpid()) + ".npy";
  ASSERT_TRUE(WriteMatrix(copy, matrix->values, matrix->rows, matrix->columns).ok());
  EXPECT_EQ(Contents(copy), Contents(path));
  std::filesystem::remove(copy);
}

INSTANTIATE_TEST_SUITE_P(, RealFiles,
                         ::testing::Values(RealFile{"mute/3_feature256.npy", 149, 256},
                                           RealFile{"mute/3_feature768.npy", 149, 768},
                                           RealFile{"queries/speaker-b_299x768.npy", 299, 768},
                                           RealFile{"queries/speaker-c_169x768.npy", 169, 768}),
                         [](const auto& info) { return "File" + std::to_string(info.index); });

}  // namespace
}  // namespace kith::npy
