// A disk that is full in the middle of a save.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/fixture.h"

namespace kith::e2e {
namespace {

using ::testing::HasSubstr;

int FilesUnder(const std::string& folder) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    files += entry.is_regular_file() ? 1 : 0;
  return files;
}

// The server may write files of 1 MiB at most; a larger write fails as on a full disk.
TEST_F(EndToEnd, ATrainingThatCannotBeSavedLeavesWhatWasThere) {
  ProcessOptions options;
  options.file_size_limit = 1 << 20;
  StartServer("127.0.0.1:0", options);
  KithJson({"train", "anna", GenerateFrames(1000)});
  const int files = FilesUnder(data_dir() + "/snapshots");
  const Finished failed = Kith({"train", "anna", GenerateFrames(20000)});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, HasSubstr("full"));
  const Finished first = Kith({"train", "berta", GenerateFrames(20000)});
  EXPECT_EQ(first.exit_code, 1);
  EXPECT_EQ(KithJson({"show", "anna"})["rows"], 1000);
  EXPECT_EQ(KithJson({"list"})["experiments"].size(), 1u);
  EXPECT_EQ(FilesUnder(data_dir() + "/snapshots"), files) << "nothing of the failed training stays";
  KithJson({"train", "anna", GenerateFrames(900)});
}

}  // namespace
}  // namespace kith::e2e
