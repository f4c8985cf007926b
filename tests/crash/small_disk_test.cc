// Real disks that are full or read-only while the server runs: SQLite's writes, its log and what it maps into memory
// meet them as well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "client/cpp/error.h"
#include "tests/crash/crash_fixture.h"
#include "tests/crash/voice.h"

namespace kith::crash {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The data folder is a file system of 8 MB.
class SmallDiskTest : public CrashTest {
 protected:
  void SetUp() override {
    fs::create_directory(data_dir());
    if (::mount("tmpfs", data_dir().c_str(), "tmpfs", 0, "size=8m") != 0) {
      GTEST_SKIP() << "mounting a tmpfs is not permitted here: " << std::strerror(errno);
    }
    mounted_ = true;
    ASSERT_NO_FATAL_FAILURE(Start());
    for (Voice* voice : {&anna_, &bob_}) {
      ASSERT_TRUE(voice->Train(client()).ok());
      ASSERT_TRUE(voice->Add(client(), 10).ok());
    }
  }
  void TearDown() override {
    Forget();
    if (mounted_) {
      EXPECT_EQ(::umount(data_dir().c_str()), 0) << std::strerror(errno);
    }
  }

  // Leaves about so many bytes free.
  void FillUp(uintmax_t left) const {
    const uintmax_t available = fs::space(data_dir()).available;
    std::ofstream(filler()) << std::string(available > left ? available - left : 0, 'x');
  }
  std::string filler() const { return data_dir() + "/filler"; }

  // One of each kind of write; how many failed, each of them clearly.
  int WriteAndCount(const std::string& words) {
    int failures = 0;
    for (const absl::Status& status : {anna_.Add(client(), 200), bob_.Train(client()),
                                       carl_.exists() ? carl_.Delete(client()) : carl_.Train(client())}) {
      if (status.ok()) continue;
      ++failures;
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_EQ(ErrorReason(status), "STORAGE") << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(words));
    }
    return failures;
  }

  void Check() {
    for (Voice* voice : {&anna_, &bob_, &carl_}) voice->Check(client());
  }

  Voice anna_{"anna", {}, 1};
  Voice bob_{"bob", {64, "Flat", std::nullopt, 400}, 2};
  Voice carl_{"carl", {16, "Flat", std::nullopt, 200}, 3};
  bool mounted_ = false;
};

TEST_F(SmallDiskTest, WhereverItIsFullNothingIsHalfThereAndSpaceMendsIt) {
  const uintmax_t step = IsLong() ? 4'096 : 36'864;
  int failures = 0;
  for (uintmax_t left = 0; left < 400'000 && !HasFailure(); left += step) {
    SCOPED_TRACE(std::to_string(left) + " bytes left");
    FillUp(left);
    failures += WriteAndCount("the disk is full");
    fs::remove(filler());
    Check();
    if (anna_.rows() > 2'000) {
      EXPECT_TRUE(anna_.Train(client()).ok());
    }
    ExpectNoLeftovers(3);
  }
  EXPECT_GT(failures, 5);
  KillAndStart();
  Check();
}

TEST_F(SmallDiskTest, AKillOnAFullDiskLosesNothing) {
  for (uintmax_t left = 0; left < 200'000 && !HasFailure(); left += IsLong() ? 8'192 : 65'536) {
    SCOPED_TRACE(std::to_string(left) + " bytes left");
    FillUp(left);
    WriteAndCount("the disk is full");
    EXPECT_EQ(server().End(SIGKILL), -SIGKILL) << server().err();
    {
      ServerProcess on_full_disk(Kithd(), data_dir());
      if (!on_full_disk.WaitUntilServing()) {
        EXPECT_EQ(on_full_disk.Wait(), 1);
        EXPECT_THAT(on_full_disk.err(), HasSubstr(data_dir()));
      }
      on_full_disk.End(SIGKILL);
    }
    fs::remove(filler());
    ASSERT_NO_FATAL_FAILURE(Start());
    Check();
    ExpectNoLeftovers(3);
  }
}

// The folder of snapshots becomes read-only under the server; the catalogue's file is open and stays writable.
TEST_F(SmallDiskTest, AReadOnlyFolderOfSnapshotsIsAClearErrorUntilItIsWritable) {
  const std::string folder = data_dir() + "/snapshots";
  ASSERT_EQ(::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr), 0) << std::strerror(errno);
  ASSERT_EQ(::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  const absl::Status trained = bob_.Train(client());
  EXPECT_EQ(trained.code(), absl::StatusCode::kUnavailable) << trained;
  EXPECT_EQ(ErrorReason(trained), "STORAGE");
  EXPECT_THAT(std::string(trained.message()), HasSubstr("Read-only"));
  EXPECT_TRUE(anna_.Add(client(), 5).ok());
  anna_.CheckSearch(client());
  ASSERT_EQ(::umount2(folder.c_str(), MNT_DETACH), 0) << std::strerror(errno);
  Check();
  KillAndStart();
  Check();
  ExpectNoLeftovers(2);
}

TEST_F(SmallDiskTest, AStartOnAReadOnlyFolderFailsClearly) {
  EXPECT_EQ(server().End(SIGKILL), -SIGKILL);
  ASSERT_EQ(::mount(nullptr, data_dir().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0) << std::strerror(errno);
  ServerProcess refused(Kithd(), data_dir());
  EXPECT_FALSE(refused.WaitUntilServing());
  EXPECT_EQ(refused.Wait(), 1);
  EXPECT_THAT(refused.err(), HasSubstr("Read-only"));
  ASSERT_EQ(::mount(nullptr, data_dir().c_str(), nullptr, MS_REMOUNT, nullptr), 0) << std::strerror(errno);
  ASSERT_NO_FATAL_FAILURE(Start());
  Check();
}

}  // namespace
}  // namespace kith::crash
