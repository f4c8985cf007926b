#include "server/base/memory.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tests/base/fake_files.h"

namespace kith {
namespace {

constexpr int64_t kMachine = int64_t{24639884} * 1024;
constexpr int64_t kGibibyte = int64_t{1} << 30;

// On a machine of kMachine bytes with `files` besides.
int64_t Usable(std::map<std::string, std::string> files) {
  files["/proc/meminfo"] = "MemTotal:       24639884 kB\nMemFree:         1234567 kB\n";
  return UsableMemory(testing::FakeFiles(std::move(files)));
}

TEST(UsableMemory, TheMachinesWithoutALimit) {
  EXPECT_EQ(Usable({}), kMachine);
  EXPECT_EQ(Usable({{"/proc/self/cgroup", "0::/\n"}}), kMachine);
  EXPECT_EQ(Usable({{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/memory.max", "max\n"}}), kMachine);
}

TEST(UsableMemory, Version2Limit) {
  const auto usable = [](const std::string& limit) {
    return Usable({{"/proc/self/cgroup", "0::/kithd.service\n"}, {"/sys/fs/cgroup/kithd.service/memory.max", limit}});
  };
  EXPECT_EQ(usable("4294967296\n"), 4 * kGibibyte);
  EXPECT_EQ(usable("109951162777600\n"), kMachine) << "more than there is";
}

TEST(UsableMemory, TheLeastOfAllAbove) {
  const std::string cgroups = "0::/kith.slice/kithd.service\n";
  EXPECT_EQ(Usable({{"/proc/self/cgroup", cgroups},
                    {"/sys/fs/cgroup/kith.slice/memory.max", "2147483648\n"},
                    {"/sys/fs/cgroup/kith.slice/kithd.service/memory.max", "8589934592\n"}}),
            2 * kGibibyte);
  EXPECT_EQ(Usable({{"/proc/self/cgroup", cgroups},
                    {"/sys/fs/cgroup/kith.slice/memory.max", "max\n"},
                    {"/sys/fs/cgroup/kith.slice/kithd.service/memory.max", "8589934592\n"}}),
            8 * kGibibyte);
}

TEST(UsableMemory, ContainerThatSeesTheHostsPath) {
  EXPECT_EQ(Usable({{"/proc/self/cgroup", "0::/docker/0123\n"}, {"/sys/fs/cgroup/memory.max", "1073741824\n"}}),
            kGibibyte);
}

TEST(UsableMemory, Version1Limit) {
  const std::string cgroups = "5:memory:/a\n4:cpu,cpuacct:/b\n0::/\n";
  const auto usable = [&](const std::string& limit) {
    return Usable({{"/proc/self/cgroup", cgroups}, {"/sys/fs/cgroup/memory/a/memory.limit_in_bytes", limit}});
  };
  EXPECT_EQ(usable("3221225472\n"), 3 * kGibibyte);
  EXPECT_EQ(usable("9223372036854771712\n"), kMachine) << "version 1's way to say that there is none";
  EXPECT_EQ(Usable({{"/proc/self/cgroup", cgroups}, {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"}}),
            kGibibyte);
}

TEST(UsableMemory, FilesThatMakeNoSenseAreNoLimit) {
  for (const std::string limit : {"", "\n", "x", "0", "-5", "1 2"}) {
    EXPECT_EQ(Usable({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/memory.max", limit}}), kMachine) << limit;
  }
  EXPECT_EQ(UsableMemory(testing::FakeFiles({{"/proc/meminfo", "MemFree: 5 kB\n"}})),
            std::numeric_limits<int64_t>::max());
}

TEST(UsableMemory, OfThisMachine) {
  EXPECT_GT(UsableMemory(), ResidentMemory());
  EXPECT_LT(UsableMemory(), std::numeric_limits<int64_t>::max());
}

TEST(ResidentMemory, FollowsWhatIsTakenAndGivenBack) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers' allocators keep what is freed";
#endif
  constexpr int64_t kBytes = int64_t{64} << 20;
  constexpr int64_t kPiece = 4096;  // below what malloc gives back by itself
  const int64_t before = ResidentMemory();
  {
    std::vector<std::vector<char>> taken;
    for (int64_t bytes = 0; bytes < kBytes; bytes += kPiece) taken.emplace_back(kPiece, 'x');
    EXPECT_GT(ResidentMemory(), before + kBytes / 2);
  }
  ReturnFreedMemory();
  EXPECT_LT(ResidentMemory(), before + kBytes / 4);
}

}  // namespace
}  // namespace kith
