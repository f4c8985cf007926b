#include "server/base/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/base/fake_files.h"

namespace kith {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "FOLDER 2" or "FOLDER 1", in the order of the visits.
std::vector<std::string> Visits(const std::string& controller, const std::string& cgroups) {
  std::vector<std::string> visits;
  VisitCgroups(
      controller, testing::FakeFiles({{"/proc/self/cgroup", cgroups}}),
      [&](const std::string& folder, bool version_2) { visits.push_back(folder + (version_2 ? " 2" : " 1")); });
  return visits;
}

TEST(VisitCgroups, OwnGroupAndAllAbove) {
  EXPECT_THAT(
      Visits("memory", "0::/kith.slice/kithd.service\n"),
      ElementsAre("/sys/fs/cgroup/kith.slice/kithd.service 2", "/sys/fs/cgroup/kith.slice 2", "/sys/fs/cgroup 2"));
}

TEST(VisitCgroups, TheRootOnce) { EXPECT_THAT(Visits("memory", "0::/\n"), ElementsAre("/sys/fs/cgroup 2")); }

TEST(VisitCgroups, Version1OnlyOfTheController) {
  const std::string cgroups = "5:memory:/a\n4:cpu,cpuacct:/b\n1:name=systemd:/c:d\n";
  EXPECT_THAT(Visits("memory", cgroups), ElementsAre("/sys/fs/cgroup/memory/a 1", "/sys/fs/cgroup/memory 1"));
  EXPECT_THAT(Visits("cpu", cgroups), ElementsAre("/sys/fs/cgroup/cpu/b 1", "/sys/fs/cgroup/cpu 1"));
  EXPECT_THAT(Visits("cpuset", cgroups), IsEmpty());
  EXPECT_THAT(Visits("mem", cgroups), IsEmpty());
}

TEST(VisitCgroups, BothVersionsAtOnce) {
  EXPECT_THAT(Visits("memory", "5:memory:/a\n0::/\n"),
              ElementsAre("/sys/fs/cgroup/memory/a 1", "/sys/fs/cgroup/memory 1", "/sys/fs/cgroup 2"));
}

TEST(VisitCgroups, NoneWhereThereAreNone) {
  EXPECT_THAT(Visits("memory", ""), IsEmpty());
  EXPECT_THAT(Visits("memory", "nonsense\n1:memory\n"), IsEmpty());
}

TEST(ReadSystemFile, GivesTheContentsOrNothing) {
  const std::string path = ::testing::TempDir() + "kith-cgroup-" + std::to_string(getpid());
  std::ofstream(path) << "max\n1\n";
  EXPECT_EQ(ReadSystemFile(path), "max\n1\n");
  std::filesystem::remove(path);
  EXPECT_EQ(ReadSystemFile(path), "");
}

}  // namespace
}  // namespace kith
