#include "server/storage/folder_snapshot.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "common/npy/npy.h"
#include "server/storage/chunks.h"
#include "server/storage/manifest.h"

namespace kith::storage {
namespace {

constexpr int64_t kRows = 3;
constexpr int kDimension = 4;

class FolderSnapshotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::string frames = npy::Header(npy::Type::kFloat32, kRows, kDimension);
    frames.append(kRows * kDimension * sizeof(float), '\1');
    const std::string index = "the index";
    const std::string manifest = ManifestText("anna", Info(kRows), {SummaryOf(index), SummaryOf(frames)});
    Write(kFramesFile, frames);
    Write(kIndexFile, index);
    Write(kManifestFile, manifest);
    entry_.manifest_sha256 = DigestOf(manifest);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static GenerationInfo Info(int64_t rows) {
    GenerationInfo info;
    info.number = 1;
    info.rows = rows;
    info.dimension = kDimension;
    return info;
  }
  static FileSummary SummaryOf(const std::string& content) {
    return {static_cast<int64_t>(content.size()), DigestOf(content)};
  }
  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
  }

  absl::StatusOr<retrieval::Frames> Read(int64_t rows) const {
    const auto snapshot = FolderSnapshot::Open(folder_, entry_);
    if (!snapshot.ok()) return snapshot.status();
    return (*snapshot)->ReadFrames(Info(rows), rows);
  }

  const std::string folder_ = ::testing::TempDir() + "folder_snapshot_test";
  SnapshotEntry entry_;
};

TEST_F(FolderSnapshotTest, GivesTheFrames) {
  const auto frames = Read(kRows);
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->rows(), kRows);
}

// The catalogue may tell of more rows than there can be, as a backup that somebody has made does.
TEST_F(FolderSnapshotTest, ACountOfRowsThatCannotBeIsDamage) {
  constexpr int64_t kWrapsAround = kRows + (int64_t{1} << 62);  // times kDimension it is as many values as there are
  for (const int64_t rows : {int64_t{-1}, kRows - 1, kRows + 1, kWrapsAround, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(Read(rows).status().code(), absl::StatusCode::kDataLoss) << rows;
  }
}

}  // namespace
}  // namespace kith::storage
