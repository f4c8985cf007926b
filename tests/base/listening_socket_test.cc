#include "server/base/listening_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "tests/support/tcp_pair.h"
#include "tests/support/wait_until.h"

namespace {

std::atomic<int> refused_for_want_of_files{0};

}  // namespace

// In the place of the C library's: tells how often there was no file descriptor for a connection.
// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's names are reserved
extern "C" int accept4(int socket, sockaddr* address, socklen_t* size, int flags) {
  const auto accepted = static_cast<int>(syscall(SYS_accept4, socket, address, size, flags));
  if (accepted < 0 && errno == EMFILE) ++refused_for_want_of_files;
  return accepted;
}

namespace kith {
namespace {

TEST(ListeningSocketTest, ATakenPortIsUnavailableAndAFreeOneIsTold) {
  const auto first = ListeningSocket::Open("127.0.0.1", 0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(first->port(), 0);
  const auto second = ListeningSocket::Open("127.0.0.1", first->port());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST(ListeningSocketTest, CloseEndsAccept) {
  const ListeningSocket listening = *ListeningSocket::Open("127.0.0.1", 0);
  int accepted = 0;
  std::thread accepts([&] { accepted = listening.Accept(); });
  listening.Close();
  accepts.join();
  EXPECT_EQ(accepted, -1);
}

// No file may be opened with a higher number than those that are open; puts the limit back in the end.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int free = dup(STDERR_FILENO);
    close(free);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(free);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  ~NoMoreFiles() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
};

TEST(ListeningSocketTest, TakesAConnectionOnceThereIsAFileDescriptorForIt) {
  const ListeningSocket listening = *ListeningSocket::Open("127.0.0.1", 0);
  const int client = testing::ConnectTo(listening.port());
  int accepted = -1;
  std::thread accepts;
  {
    const NoMoreFiles no_more;
    ASSERT_EQ(open("/dev/null", O_RDONLY), -1);
    accepts = std::thread([&] { accepted = listening.Accept(); });
    testing::WaitUntil([] { return refused_for_want_of_files >= 2; });  // and tries again
  }
  accepts.join();
  ASSERT_GE(accepted, 0);
  ASSERT_EQ(send(client, "y", 1, 0), 1);
  char got = 0;
  EXPECT_EQ(recv(accepted, &got, 1, 0), 1);
  EXPECT_EQ(got, 'y');
  close(accepted);
  close(client);
}

TEST(ListeningSocketTest, CloseEndsAcceptWithoutFileDescriptorsToo) {
  const ListeningSocket listening = *ListeningSocket::Open("127.0.0.1", 0);
  const int client = testing::ConnectTo(listening.port());
  const NoMoreFiles no_more;
  const int before = refused_for_want_of_files;
  int accepted = 0;
  std::thread accepts([&] { accepted = listening.Accept(); });
  testing::WaitUntil([&] { return refused_for_want_of_files > before; });
  listening.Close();
  accepts.join();
  EXPECT_EQ(accepted, -1);
  close(client);
}

}  // namespace
}  // namespace kith
