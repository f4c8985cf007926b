#include "server/base/cores.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <map>
#include <string>
#include <thread>
#include <utility>

#include "tests/base/fake_files.h"

namespace kith {
namespace {

int Cores(int allowed_cores, std::map<std::string, std::string> files) {
  return UsableCores(allowed_cores, testing::FakeFiles(std::move(files)));
}

TEST(UsableCores, AffinityAloneWithoutQuota) {
  EXPECT_EQ(Cores(6, {}), 6);
  EXPECT_EQ(Cores(6, {{"/proc/self/cgroup", "0::/\n"}}), 6);
  EXPECT_EQ(Cores(6, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "max 100000\n"}}), 6);
}

TEST(UsableCores, Version2Quota) {
  const auto cores = [](const std::string& cpu_max) {
    return Cores(6, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", cpu_max}});
  };
  EXPECT_EQ(cores("200000 100000\n"), 2);
  EXPECT_EQ(cores("100000 50000\n"), 2);
  EXPECT_EQ(cores("350000 100000\n"), 3);
  EXPECT_EQ(cores("50000 100000\n"), 1);
  EXPECT_EQ(cores("900000 100000\n"), 6);
}

TEST(UsableCores, TheLeastQuotaOfAllAncestors) {
  const std::string cgroups = "0::/kith.slice/kithd.service\n";
  EXPECT_EQ(Cores(8, {{"/proc/self/cgroup", cgroups},
                      {"/sys/fs/cgroup/kith.slice/cpu.max", "300000 100000\n"},
                      {"/sys/fs/cgroup/kith.slice/kithd.service/cpu.max", "500000 100000\n"}}),
            3);
  EXPECT_EQ(Cores(8, {{"/proc/self/cgroup", cgroups},
                      {"/sys/fs/cgroup/kith.slice/kithd.service/cpu.max", "500000 100000\n"}}),
            5);
}

TEST(UsableCores, ContainerThatSeesTheHostsPath) {
  EXPECT_EQ(Cores(8, {{"/proc/self/cgroup", "0::/docker/0123\n"}, {"/sys/fs/cgroup/cpu.max", "400000 100000\n"}}), 4);
}

TEST(UsableCores, Version1Quota) {
  const std::string cgroups = "5:memory:/a\n4:cpu,cpuacct:/a\n3:cpuset:/\n1:name=systemd:/a:b\n0::/a\n";
  EXPECT_EQ(Cores(8, {{"/proc/self/cgroup", cgroups},
                      {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n"},
                      {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}}),
            2);
  EXPECT_EQ(Cores(8, {{"/proc/self/cgroup", cgroups},
                      {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"},
                      {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}}),
            8);
}

TEST(UsableCores, FilesThatMakeNoSenseAreNoQuota) {
  for (const std::string cpu_max : {"", "\n", "200000", "x y", "200000 0", "0 100000", "-5 100000", "1 2 3"}) {
    EXPECT_EQ(Cores(6, {{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", cpu_max}}), 6) << cpu_max;
  }
  EXPECT_EQ(Cores(6, {{"/proc/self/cgroup", "nonsense\n::\n0::no-slash\n"}}), 6);
}

TEST(UsableCores, AtLeastOne) { EXPECT_EQ(Cores(0, {}), 1); }

TEST(UsableCores, HeedsTheThreadsAffinity) {
  EXPECT_GE(UsableCores(), 1);
  std::thread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(UsableCores(), 1);
  }).join();
}

}  // namespace
}  // namespace kith
