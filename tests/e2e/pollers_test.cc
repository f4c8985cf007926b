// How many of gRPC's threads a server has polling.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "client/cpp/client.h"
#include "tests/e2e/fixture.h"
#include "tests/e2e/raw_http2.h"

namespace kith::e2e {
namespace {

constexpr int kCalls = 500;

class PollersTest : public EndToEnd {
 protected:
  // How often each of gRPC's threads went to sleep so far.
  std::vector<int64_t> Sleeps() const {
    std::vector<int64_t> sleeps;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(server_->pid()) + "/task")) {
      if (ReadFile(thread.path() / "comm") != "nexting_thread\n") continue;
      const std::string status = ReadFile(thread.path() / "status");
      constexpr std::string_view kKey = "\nvoluntary_ctxt_switches:";
      sleeps.push_back(std::atoll(status.c_str() + status.find(kKey) + kKey.size()));
    }
    return sleeps;
  }
};

TEST_F(PollersTest, OneIsEnoughForOneClient) {
  StartServer();
  KithJson({"train", "voice", GenerateFrames(500)});
  Client client(ClientOptions{address_});
  const std::vector<float> row(kDimension, 0.5F);
  ASSERT_TRUE(client.Search("voice", FramesView(row, kDimension)).ok());
  const std::vector<int64_t> before = Sleeps();
  for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(client.Search("voice", FramesView(row, kDimension)).ok());
  const std::vector<int64_t> after = Sleeps();
  ASSERT_EQ(before.size(), after.size());
  ASSERT_GE(after.size(), 2u);
  int polling = 0;
  for (size_t i = 0; i < after.size(); ++i) polling += after[i] - before[i] > kCalls / 10 ? 1 : 0;
  EXPECT_LE(polling, std::max<int>(1, static_cast<int>(std::thread::hardware_concurrency()) / 8));
}

// Frames that ask for nothing, without end: who reads them gets to nothing else.
TEST_F(PollersTest, TheOthersHelpWhereAFloodHasTheOne) {
  StartServer();
  KithJson({"train", "voice", GenerateFrames(500)});
  Client client(ClientOptions{address_});
  const std::vector<float> row(kDimension, 0.5F);
  std::string frames;
  for (int i = 0; i < 10'000; ++i) frames += Frame(FrameType::kPriority, 0, 1, std::string(5, '\0'));
  RawConnection flood(address_);
  flood.Send(Preface());
  std::atomic<bool> over{false};
  std::thread sending([&] {
    while (!over && flood.Send(frames)) {
    }
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(client.Search("voice", FramesView(row, kDimension)).ok()) << i;
  over = true;
  sending.join();
}

}  // namespace
}  // namespace kith::e2e
