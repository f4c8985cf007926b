// A folder that is gone after the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "common/npy/npy.h"
#include "gtest/gtest.h"

namespace kith::cli {

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(::testing::TempDir() + "kith_cli_XXXXXX") { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

  // The file's path.
  std::string WriteNpy(const std::string& name, const std::vector<float>& values, int dimension) const {
    const std::string file = path_ + "/" + name;
    const auto rows = static_cast<int64_t>(values.size()) / dimension;
    EXPECT_TRUE(npy::WriteMatrix(file, absl::MakeConstSpan(values), rows, dimension).ok());
    return file;
  }

 private:
  std::string path_;
};

}  // namespace kith::cli
