// Connections by which streams are opened and reset without end ("HTTP/2 rapid reset"): they are ended before they have
// taken much memory, and clients that only cancel what they no longer want are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/raw_http2.h"
#include "tests/http/raw_client.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using kith::testing::WaitUntil;
using ::testing::HasSubstr;

constexpr int64_t kMebibyte = int64_t{1} << 20;

class ResetFloodTest : public EndToEnd {
 protected:
  void Start(const std::string& listen) {
    std::ofstream(Path("kithd.yaml")) << "insecure: true\nhttp:\n  listen: 127.0.0.1:0\n";
    StartServer(listen, {{"--config", Path("kithd.yaml")}, {}, {}, {}});
    ASSERT_FALSE(HasFailure());
    const std::string announced = "metrics on http://127.0.0.1:";
    const std::string log = server_->err();
    ASSERT_THAT(log, HasSubstr(announced));
    http_port_ = std::stoi(log.substr(log.find(announced) + announced.size()));
    KithJson({"train", "voice", GenerateFrames(500)});
    ExpectServing();
  }

  int EndedConnections() const {
    const std::string text = http::Get(http_port_, "/metrics");
    const std::string name = "\nkith_flooding_connections_total ";
    return text.find(name) == std::string::npos ? -1 : std::stoi(text.substr(text.find(name) + name.size()));
  }

 private:
  int http_port_ = 0;
};

class ResetFloodsTest : public ResetFloodTest, public ::testing::WithParamInterface<const char*> {};

// IPv4, where only this machine's clients come and where strangers do; a socket for both; IPv6.
INSTANTIATE_TEST_SUITE_P(Addresses, ResetFloodsTest,
                         ::testing::Values("127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"));

TEST_P(ResetFloodsTest, OfSeveralConnectionsAreEndedBeforeTheyTakeMuch) {
  constexpr int kConnections = 4;
  Start(GetParam());
  ASSERT_FALSE(HasFailure());
  Client bystander(ClientOptions{address_});
  const auto stream = bystander.StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  const int64_t before = Memory();
  const std::string resets = ResetStreams(100'000);
  std::vector<std::thread> floods;
  floods.reserve(kConnections);
  for (int i = 0; i < kConnections; ++i) {
    floods.emplace_back([&] {
      RawConnection connection(address_);
      // gRPC reads no more of who does not take its answers.
      std::thread reads([&] { connection.ReadToTheEnd(); });
      connection.Send(Preface() + resets);
      connection.HalfClose();
      reads.join();
    });
  }
  for (std::thread& flood : floods) flood.join();
  EXPECT_LE(PeakMemory() - before, 1024 * kMebibyte);  // on a busy machine; without an end of them, many times that
  // Once some have gone, the others may be no more than the server can refuse.
  WaitUntil([&] { return EndedConnections() >= 1; });
  WaitUntil([&] { return Memory() - before < 128 * kMebibyte; });
  ExpectServing();
  const std::vector<float> row(kDimension, 0.5F);
  ASSERT_TRUE((*stream)->Write(1, FramesView(row, kDimension)).ok());
  const auto block = (*stream)->Read();
  ASSERT_TRUE(block.ok() && block->has_value()) << block.status();
  EXPECT_TRUE((*block)->status.ok()) << (*block)->status;
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
  EXPECT_THAT(server_->err(), HasSubstr("it opened and reset streams"));
}

// As one does that is stopped while it has all that it may have under way.
TEST_F(ResetFloodTest, AClientThatCancelsAThousandCallsAtOnceIsNoFlood) {
  Start("127.0.0.1:0");
  ASSERT_FALSE(HasFailure());
  std::vector<RawConnection> connections;
  for (int i = 0; i < 20; ++i) {
    connections.emplace_back(address_);
    EXPECT_TRUE(connections.back().Send(Preface() + ResetStreams(1'000)));
  }
  ExpectServing();
  for (RawConnection& connection : connections) EXPECT_TRUE(connection.Send(Frame(FrameType::kPing, 0, 0, "12345678")));
  EXPECT_EQ(EndedConnections(), 0);
}

}  // namespace
}  // namespace kith::e2e
