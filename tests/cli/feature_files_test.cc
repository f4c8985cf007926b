#include "client/cli/feature_files.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "common/npy/npy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/temporary_folder.h"

namespace kith::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FeatureFilesTest, AFolderIsReadInTheOrderOfItsNamesBytes) {
  const TemporaryFolder folder;
  folder.WriteNpy("b.npy", {3}, 1);
  folder.WriteNpy("a10.npy", {1}, 1);
  folder.WriteNpy("a2.npy", {2}, 1);
  folder.WriteNpy("Z.npy", {0}, 1);
  folder.WriteNpy("\xc3\xa9.npy", {4}, 1);
  std::ofstream(folder.path() + "/notes.txt") << "no frames";
  const auto frames = LoadFrames(folder.path());
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->dimension, 1);
  EXPECT_THAT(frames->values, ElementsAre(0, 1, 2, 3, 4));
}

TEST(FeatureFilesTest, PathsKeepTheOrderInWhichTheyWereGiven) {
  const TemporaryFolder folder;
  const std::string a = folder.WriteNpy("a.npy", {1}, 1);
  const std::string b = folder.WriteNpy("b.npy", {2}, 1);
  EXPECT_THAT(*ListFeatureFiles({b, a}), ElementsAre(b, a));
}

TEST(FeatureFilesTest, CanBeReadASecondTime) {
  const TemporaryFolder folder;
  FeatureFiles source({folder.WriteNpy("a.npy", {1, 2}, 2), folder.WriteNpy("b.npy", {3, 4}, 2)}, nullptr);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(source.Next()->values, ElementsAre(1, 2));
    EXPECT_THAT(source.Next()->values, ElementsAre(3, 4));
    EXPECT_TRUE(source.Next()->values.empty());
    ASSERT_TRUE(source.Rewind().ok());
  }
}

TEST(FeatureFilesTest, AnotherDimensionIsAnErrorThatNamesBothFiles) {
  const TemporaryFolder folder;
  folder.WriteNpy("a.npy", {1, 2}, 2);
  folder.WriteNpy("b.npy", {1, 2, 3}, 3);
  const absl::Status status = LoadFrames(folder.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("a.npy"), HasSubstr("b.npy")));
}

TEST(FeatureFilesTest, AnEmptyFolderAndAMissingPathAreErrorsThatNameThem) {
  const TemporaryFolder folder;
  const absl::Status empty = ListFeatureFiles({folder.path()}).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(empty.message()), HasSubstr(folder.path()));
  const absl::Status missing = ListFeatureFiles({folder.path() + "/none"}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/none"));
}

TEST(FeatureFilesTest, AValueThatIsNotFiniteIsAnErrorThatNamesTheFileAndTheRowInIt) {
  const TemporaryFolder folder;
  folder.WriteNpy("a.npy", {1, 2, 3, 4}, 2);
  folder.WriteNpy("b.npy", {1, 2, 3, std::numeric_limits<float>::infinity()}, 2);
  const absl::Status status = LoadFrames(folder.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("b.npy: row 1 "));
}

TEST(FeatureFilesTest, AFileThatMayNotBeReadIsAnErrorThatNamesIt) {
  const TemporaryFolder folder;
  const std::string file = folder.WriteNpy("a.npy", {1}, 1);
  std::filesystem::permissions(file, std::filesystem::perms::none);
  if (access(file.c_str(), R_OK) == 0) GTEST_SKIP() << "root may read everything";
  EXPECT_THAT(std::string(LoadFrames(file).status().message()), HasSubstr(file));
}

TEST(FeatureFilesTest, FilesWithoutRowsAreNoFrames) {
  const TemporaryFolder folder;
  EXPECT_FALSE(LoadFrames(folder.WriteNpy("a.npy", {}, 4)).ok());
}

}  // namespace
}  // namespace kith::cli
