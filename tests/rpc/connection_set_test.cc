#include "server/rpc/connection_set.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <vector>

#include "server/base/listening_socket.h"
#include "tests/support/tcp_pair.h"
#include "tests/support/wait_until.h"

namespace kith::rpc {
namespace {

using kith::testing::TcpPair;
using kith::testing::WaitUntil;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr TimePoint kStart{std::chrono::hours(1)};

class ConnectionSetTest : public ::testing::Test {
 protected:
  const ListeningSocket listening_ = *ListeningSocket::Open("127.0.0.1", 0);
  TcpPair first_{listening_};
  TcpPair second_{listening_};
};

TEST_F(ConnectionSetTest, ThereIsRoomAgainOnceOneIsClosed) {
  ConnectionSet set = *ConnectionSet::Make(2);
  EXPECT_TRUE(set.HasRoom(kStart));
  set.Add(first_.server());
  EXPECT_TRUE(set.HasRoom(kStart));
  set.Add(second_.server());
  EXPECT_FALSE(set.HasRoom(kStart));
  second_.CloseServer();
  EXPECT_TRUE(set.HasRoom(kStart + milliseconds(100)));
  EXPECT_TRUE(set.HasRoom(kStart + milliseconds(100)));
}

// However many want to get in, the others are looked at now and then.
TEST_F(ConnectionSetTest, WhileItIsFullOnesThatAreClosedAreNotLookedForEachTime) {
  ConnectionSet set = *ConnectionSet::Make(1);
  set.Add(first_.server());
  EXPECT_FALSE(set.HasRoom(kStart));
  first_.CloseServer();
  EXPECT_FALSE(set.HasRoom(kStart + microseconds(9)));
  EXPECT_TRUE(set.HasRoom(kStart + microseconds(10)));
}

TEST_F(ConnectionSetTest, TellsOnceOfThoseThatSomethingCameBy) {
  ConnectionSet set = *ConnectionSet::Make(2);
  set.Add(first_.server());
  set.Add(second_.server());
  EXPECT_TRUE(set.Receiving().empty());
  for (const char* const text : {"y", "and more, though the first is not read yet"}) {
    ASSERT_GT(send(second_.client(), text, std::string(text).size(), 0), 0);
    std::vector<ConnectionSet::Connection*> receiving;
    WaitUntil([&] { return !(receiving = set.Receiving()).empty(); });
    ASSERT_EQ(receiving.size(), 1U);
    EXPECT_GT(receiving[0]->socket.BytesReceived(), 0);
    EXPECT_TRUE(set.Receiving().empty());
  }
}

TEST_F(ConnectionSetTest, TellsNothingOfOneThatIsClosed) {
  ConnectionSet set = *ConnectionSet::Make(2);
  set.Add(first_.server());
  set.Add(second_.server());
  ASSERT_EQ(send(first_.client(), "y", 1, 0), 1);
  ASSERT_EQ(send(second_.client(), "y", 1, 0), 1);
  char got;
  ASSERT_EQ(recv(first_.server(), &got, 1, 0), 1);
  first_.CloseServer();
  std::vector<ConnectionSet::Connection*> receiving;
  WaitUntil([&] { return !(receiving = set.Receiving()).empty(); });
  EXPECT_EQ(receiving.size(), 1U);
}

}  // namespace
}  // namespace kith::rpc
