#include "server/base/known_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "server/base/listening_socket.h"
#include "tests/support/tcp_pair.h"
#include "tests/support/wait_until.h"

namespace kith {
namespace {

using testing::TcpPair;

class KnownSocketTest : public ::testing::Test {
 protected:
  const ListeningSocket listening_ = *ListeningSocket::Open("127.0.0.1", 0);
  TcpPair pair_{listening_};
};

// What the number stands for now that the socket is closed.
int PutInPlaceOf(int closed, int other) { return dup2(other, closed); }

TEST_F(KnownSocketTest, IsGoneOnceClosedThoughItsNumberIsTakenAgain) {
  const TcpPair other(listening_);
  const int number = pair_.server();
  const KnownSocket known(number);
  EXPECT_TRUE(known.IsOpen());
  pair_.CloseServer();
  EXPECT_FALSE(known.IsOpen());
  ASSERT_EQ(PutInPlaceOf(number, other.server()), number);
  EXPECT_FALSE(known.IsOpen());
  close(number);
}

TEST_F(KnownSocketTest, CountsWhatHasComeReadOrNot) {
  const KnownSocket known(pair_.server());
  EXPECT_EQ(known.BytesReceived(), 0);
  ASSERT_EQ(send(pair_.client(), "five!", 5, 0), 5);
  testing::WaitUntil([&] { return known.BytesReceived() == 5; });
  char got[5];
  ASSERT_EQ(recv(pair_.server(), got, sizeof(got), 0), 5);
  EXPECT_EQ(known.BytesReceived(), 5);
}

TEST_F(KnownSocketTest, IsBrokenForItsOwnerAndWhatWasUnreadIsGone) {
  const KnownSocket known(pair_.server());
  ASSERT_EQ(send(pair_.client(), "five!", 5, 0), 5);
  testing::WaitUntil([&] { return known.BytesReceived() == 5; });
  EXPECT_TRUE(known.Break());
  char byte = 0;
  EXPECT_LE(recv(pair_.server(), &byte, 1, MSG_DONTWAIT), 0) << "its owner is told of the end, and no more";
}

TEST_F(KnownSocketTest, ThePeerOfAFinishedOneGetsWhatWasSentAndThenTheEnd) {
  const KnownSocket known(pair_.server());
  ASSERT_EQ(send(pair_.server(), "five!", 5, 0), 5);
  EXPECT_TRUE(known.Finish());
  char got[6];
  EXPECT_EQ(recv(pair_.client(), got, sizeof(got), MSG_WAITALL), 5);
  EXPECT_EQ(std::string(got, 5), "five!");
  EXPECT_EQ(recv(pair_.client(), got, 1, 0), 0);
  EXPECT_EQ(recv(pair_.server(), got, 1, MSG_DONTWAIT), 0) << "its owner is told of the end";
  pair_.CloseServer();
  EXPECT_FALSE(known.Finish());
}

// It has more to send than the other end would take.
TEST_F(KnownSocketTest, ThePeerOfABrokenOneIsToldOnceItIsClosed) {
  const KnownSocket known(pair_.server());
  const std::string flood(1 << 20, 'x');
  while (send(pair_.client(), flood.data(), flood.size(), MSG_DONTWAIT) > 0) continue;
  EXPECT_TRUE(known.Break());
  pair_.CloseServer();
  testing::WaitUntil([&] { return send(pair_.client(), "y", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN; });
}

TEST_F(KnownSocketTest, AnotherThatGotItsNumberIsNotBroken) {
  const TcpPair other(listening_);
  const int number = pair_.server();
  const KnownSocket known(number);
  pair_.CloseServer();
  EXPECT_FALSE(known.Break());
  ASSERT_EQ(PutInPlaceOf(number, other.server()), number);
  EXPECT_FALSE(known.Break());
  ASSERT_EQ(send(other.client(), "y", 1, 0), 1);
  char got = 0;
  EXPECT_EQ(recv(number, &got, 1, 0), 1);
  EXPECT_EQ(got, 'y');
  close(number);
}

}  // namespace
}  // namespace kith
