#include "server/base/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "server/base/ids.h"

namespace kith {
namespace {

TEST(UsageOfProcess, CountsWhatIsTaken) {
  const ProcessUsage before = UsageOfProcess();
  EXPECT_GT(before.resident_bytes, 1 << 20);
  EXPECT_GE(before.threads, 1);
  EXPECT_GT(before.most_open_files, before.open_files);
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  while (UsageOfProcess().cpu_seconds < before.cpu_seconds + 0.001) {
  }
  EXPECT_EQ(UsageOfProcess().open_files, before.open_files + 2);
  close(pipes[0]);
  close(pipes[1]);
  int64_t threads = 0;
  std::thread([&] { threads = UsageOfProcess().threads; }).join();
  EXPECT_EQ(threads, before.threads + 1);
}

TEST(UsageOfDisk, CountsAllFilesBelow) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / ("kith-usage-" + RandomId());
  fs::create_directories(folder / "a/b");
  const int64_t empty = UsageOfDisk(folder).folder_bytes;
  std::ofstream(folder / "a/b/file") << std::string(1 << 20, 'x');
  sync();
  const DiskUsage usage = UsageOfDisk(folder);
  EXPECT_GE(usage.folder_bytes, empty + (1 << 20));
  EXPECT_LT(usage.folder_bytes, empty + (3 << 20));
  EXPECT_GT(usage.free_bytes, 0);
  EXPECT_GT(usage.size_bytes, usage.free_bytes);
  fs::remove_all(folder);
  EXPECT_EQ(UsageOfDisk(folder).folder_bytes, 0);
  EXPECT_EQ(UsageOfDisk(folder).size_bytes, 0);
}

}  // namespace
}  // namespace kith
