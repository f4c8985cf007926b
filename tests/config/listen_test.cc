#include "server/config/listen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kith::config {
namespace {

using ::testing::HasSubstr;

void ExpectListen(const std::string& text, const std::string& host, int port) {
  const absl::StatusOr<Listen> listen = ParseListen(text);
  ASSERT_TRUE(listen.ok()) << listen.status();
  EXPECT_EQ(listen->host, host) << text;
  EXPECT_EQ(listen->port, port) << text;
}

void ExpectBad(const std::string& text, const std::string& message) {
  const absl::Status status = ParseListen(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << text;
  EXPECT_THAT(std::string(status.message()), HasSubstr("write HOST:PORT")) << text;
}

TEST(ParseListen, NamesAndAddresses) {
  ExpectListen("127.0.0.1:50051", "127.0.0.1", 50051);
  ExpectListen("0.0.0.0:0", "0.0.0.0", 0);
  ExpectListen("localhost:65535", "localhost", 65535);
  ExpectListen("voice-1.example.org:80", "voice-1.example.org", 80);
  ExpectListen("[::1]:50051", "::1", 50051);
  ExpectListen("[::]:0", "::", 0);
  ExpectListen("[fe80::1%eth0]:1", "fe80::1%eth0", 1);
}

TEST(ParseListen, BadPort) {
  ExpectBad("", "has no port");
  ExpectBad("localhost", "has no port");
  ExpectBad("localhost:", "port from 0 to 65535");
  ExpectBad("localhost:65536", "port from 0 to 65535");
  ExpectBad("localhost:-1", "port from 0 to 65535");
  ExpectBad("localhost:+1", "port from 0 to 65535");
  ExpectBad("localhost: 1", "port from 0 to 65535");
  ExpectBad("localhost:http", "port from 0 to 65535");
  ExpectBad("localhost:99999999999999999999", "port from 0 to 65535");
  ExpectBad("[::1]", "port from 0 to 65535");
}

TEST(ParseListen, BadHost) {
  ExpectBad(":50051", "no host");
  ExpectBad("256.0.0.1:50051", "neither a name nor an address");
  ExpectBad("1.2.3:50051", "neither a name nor an address");
  ExpectBad("my host:50051", "neither a name nor an address");
  ExpectBad("a/b:50051", "neither a name nor an address");
  ExpectBad("unix:a:1", "neither a name nor an address");
  ExpectBad("::1:50051", "without brackets");
  ExpectBad("fe80::1:2", "without brackets");
  ExpectBad("[]:50051", "no IPv6 address in its brackets");
  ExpectBad("[::1:50051", "no IPv6 address in its brackets");
  ExpectBad("[localhost]:50051", "no IPv6 address in its brackets");
}

TEST(IsLoopback, IsThisMachineOnly) {
  for (const char* here : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "LocalHost:1"}) {
    EXPECT_TRUE(IsLoopback(*ParseListen(here))) << here;
  }
  for (const char* open : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1", "127.0.0.1.example.org:1"}) {
    EXPECT_FALSE(IsLoopback(*ParseListen(open))) << open;
  }
}

}  // namespace
}  // namespace kith::config
