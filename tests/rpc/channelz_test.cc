#include "server/rpc/channelz.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "server/base/listening_socket.h"
#include "tests/support/tcp_pair.h"

namespace kith::rpc {
namespace {

// As gRPC 1.51 writes it.
constexpr char kPage[] = R"({"socketRef":[{"name":"chttp2 ipv4:127.0.0.1:40100","socketId":"7"},)"
                         R"({"name":"chttp2 ipv6:%5B::1%5D:40102","socketId":"9"},)"
                         R"({"name":"chttp2 ipv6:%5Bfe80::2%25eth0%5D:40104","socketId":"11"}],"end":true})";

TEST(ChannelzTest, ConnectionsAreKnownByPeerWithoutItsZone) {
  const auto connections = ConnectionsIn(kPage);
  ASSERT_EQ(connections.size(), 3U);
  EXPECT_EQ(connections[0].peer, "ipv4:127.0.0.1:40100");
  EXPECT_EQ(connections[0].id, 7);
  EXPECT_EQ(connections[1].peer, "ipv6:%5B::1%5D:40102");
  EXPECT_EQ(connections[1].id, 9);
  EXPECT_EQ(connections[2].peer, "ipv6:%5Bfe80::2%5D:40104");
  EXPECT_EQ(connections[2].id, 11);
  EXPECT_TRUE(ConnectionsIn("").empty());
  EXPECT_TRUE(ConnectionsIn(R"({"end":true})").empty());
}

TEST(ChannelzTest, NumbersAreRead) {
  constexpr char kCounts[] = R"({"data":{"streamsFailed":"12345678901","streamsStarted":"2"},"ref":{"socketId":"3"}})";
  EXPECT_EQ(NumberIn(kCounts, "streamsFailed"), 12345678901);
  EXPECT_EQ(NumberIn(kCounts, "streamsStarted"), 2);
  EXPECT_EQ(NumberIn(kCounts, "streamsSucceeded"), 0);
  EXPECT_EQ(NumberIn("", "streamsFailed"), 0);
  EXPECT_EQ(NumberIn(R"({"streamsFailed":"many"})", "streamsFailed"), 0);
}

TEST(ChannelzTest, WhatIsNoConnectionHasNoCounts) {
  EXPECT_FALSE(StreamsHeld(1'000'000'000).has_value());
  EXPECT_EQ(PeerOf(STDIN_FILENO), "");
}

TEST(ChannelzTest, AnIpv4PeerIsOneOnASocketForBothToo) {
  for (const char* const host : {"127.0.0.1", "::"}) {
    const auto listening = ListeningSocket::Open(host, 0);
    ASSERT_TRUE(listening.ok()) << listening.status();
    const kith::testing::TcpPair pair(*listening);
    sockaddr_in client{};
    socklen_t size = sizeof(client);
    ASSERT_EQ(getsockname(pair.client(), reinterpret_cast<sockaddr*>(&client), &size), 0);
    EXPECT_EQ(PeerOf(pair.server()), "ipv4:127.0.0.1:" + std::to_string(ntohs(client.sin_port)));
  }
}

}  // namespace
}  // namespace kith::rpc
