#include "server/base/close_fds.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace kith {
namespace {

class CloseFdsTest : public ::testing::TestWithParam<bool (*)(int)> {};

TEST_P(CloseFdsTest, MarksThoseFromTheFirstOnAndNoOthers) {
  std::vector<int> open;
  for (int i = 0; i < 300; ++i) open.push_back(dup(STDOUT_FILENO));  // more than one answer of the kernel lists
  const int first = open[1];
  ASSERT_TRUE(GetParam()(first));
  for (const int fd : open) {
    EXPECT_EQ(fcntl(fd, F_GETFD), fd < first ? 0 : FD_CLOEXEC) << fd;
    close(fd);
  }
}

INSTANTIATE_TEST_SUITE_P(ByRangeAndByList, CloseFdsTest, ::testing::Values(&CloseOnExecFrom, &CloseOnExecByProc));

}  // namespace
}  // namespace kith
