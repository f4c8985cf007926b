#include "server/base/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

namespace kith {
namespace {

SubprocessResult RunScript(const std::string& script, const SubprocessLimits& limits = {},
                           const std::function<bool()>& cancelled = nullptr) {
  auto result = RunSubprocess("/bin/sh", {"-c", script}, limits, cancelled);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *std::move(result) : SubprocessResult();
}

TEST(SubprocessTest, GivesOutputAndExitCode) {
  const SubprocessResult result = RunScript("printf 'one\\ntwo'; echo unseen >&2; exit 3");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.output, "one\ntwo");
}

TEST(SubprocessTest, TellsTheSignalThatEndedIt) {
  const SubprocessResult result = RunScript("kill -SEGV $$");
  EXPECT_EQ(result.signal, SIGSEGV);
  EXPECT_EQ(result.exit_code, -1);
}

TEST(SubprocessTest, IsNotWaitedForForEverWhereItsEndIsNotTold) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  const SubprocessResult result = RunScript("echo done; exit 3");
  std::signal(SIGCHLD, before);
  EXPECT_EQ(result.output, "done\n");
  EXPECT_EQ(result.exit_code, -1) << "which is a failure";
}

TEST(SubprocessTest, IsKilledWhenItsTimeIsOver) {
  SubprocessLimits limits;
  limits.time = absl::Milliseconds(100);
  const SubprocessResult result = RunScript("while :; do :; done", limits);
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
}

// Its stdout ends, it does not.
TEST(SubprocessTest, IsKilledWhenItOnlyClosesItsOutput) {
  SubprocessLimits limits;
  limits.time = absl::Milliseconds(100);
  EXPECT_TRUE(RunScript("exec >&-; while :; do :; done", limits).timed_out);
}

TEST(SubprocessTest, IsKilledWhenCancelled) {
  std::atomic<int> asked{0};
  const SubprocessResult result = RunScript("while :; do :; done", {}, [&] { return ++asked > 2; });
  EXPECT_TRUE(result.cancelled);
  EXPECT_FALSE(result.timed_out);
}

TEST(SubprocessTest, IsEndedByItsLimitOfProcessorTime) {
  SubprocessLimits limits;
  limits.cpu_seconds = 1;
  const SubprocessResult result = RunScript("while :; do :; done", limits);
  EXPECT_NE(result.signal, 0);
  EXPECT_FALSE(result.timed_out);
}

TEST(SubprocessTest, CannotWriteLargerFilesThanItMay) {
  SubprocessLimits limits;
  limits.file_bytes = 1000;
  const std::string path = ::testing::TempDir() + "/kith-subprocess-file";
  const SubprocessResult result =
      RunScript("head -c 5000 /dev/zero > '" + path + "'; wc -c < '" + path + "'; rm '" + path + "'", limits);
  EXPECT_EQ(std::stoi(result.output), 1000);
}

TEST(SubprocessTest, HasNoMoreMemoryThanItMay) {
  SubprocessLimits limits;
  limits.memory_bytes = int64_t{64} << 20;
  EXPECT_EQ(RunScript("ulimit -v", limits).output, "65536\n");
}

TEST(SubprocessTest, KeepsOnlyTheBeginningOfMuchOutput) {
  SubprocessLimits limits;
  limits.output_bytes = 10;
  const SubprocessResult result = RunScript("head -c 1000000 /dev/zero | tr '\\0' x", limits);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "xxxxxxxxxx");
}

TEST(SubprocessTest, InheritsNoFiles) {
  const int open_here = dup(STDOUT_FILENO);  // without close-on-exec
  EXPECT_EQ(RunScript("test -e /proc/self/fd/" + std::to_string(open_here)).exit_code, 1);
  close(open_here);
}

TEST(SubprocessTest, AProgramThatIsNotThereIsAnError) {
  const auto result = RunSubprocess("/nowhere/program", {}, {}, nullptr);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(result.status().message()),
              ::testing::HasSubstr("/nowhere/program could not be started: running it: No such file or directory"));
}

TEST(SubprocessTest, AProgramMayEndWithAnyExitCode) { EXPECT_EQ(RunScript("exit 127").exit_code, 127); }

}  // namespace
}  // namespace kith
