#include "server/rpc/flood_watch.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "server/base/listening_socket.h"
#include "tests/support/tcp_pair.h"

namespace kith::rpc {
namespace {

using kith::testing::TcpPair;

class FloodWatchTest : public ::testing::Test {
 protected:
  FloodWatchTest() { watch_->Add(pair_.server()); }

  // More than the client's machine takes before the client reads; and something that the server has not read.
  size_t SendWhatGoes() {
    const std::vector<char> piece(64 << 10, 'x');
    size_t sent = 0;
    for (ssize_t count = 0; count >= 0; sent += static_cast<size_t>(count < 0 ? 0 : count)) {
      count = send(pair_.server(), piece.data(), piece.size(), MSG_DONTWAIT);
    }
    EXPECT_EQ(send(pair_.client(), "!", 1, 0), 1);
    return sent;
  }

  size_t ReadToTheEnd() {
    std::vector<char> piece(64 << 10);
    size_t got = 0;
    for (ssize_t count = 1; count > 0; got += static_cast<size_t>(count < 0 ? 0 : count)) {
      count = recv(pair_.client(), piece.data(), piece.size(), 0);
    }
    return got;
  }

  void FinishAndClose(std::chrono::milliseconds patience) {
    watch_->FinishAll(patience);
    pair_.CloseServer();
  }

  const ListeningSocket listening_ = *ListeningSocket::Open("127.0.0.1", 0);
  TcpPair pair_{listening_};
  const std::unique_ptr<FloodWatch> watch_ =
      *FloodWatch::Make(8, 1, std::make_shared<telemetry::Metrics>(telemetry::BuildInfo{}));
};

TEST_F(FloodWatchTest, FinishesOnceWhatWasSentHasArrived) {
  const size_t sent = SendWhatGoes();
  std::atomic<bool> begun{false};
  std::thread finishes([&] {
    begun = true;
    FinishAndClose(std::chrono::seconds(60));
  });
  while (!begun) std::this_thread::yield();
  EXPECT_EQ(ReadToTheEnd(), sent);
  finishes.join();
}

TEST_F(FloodWatchTest, DoesNotWaitForAClientThatTakesNothing) {
  const size_t sent = SendWhatGoes();
  FinishAndClose(std::chrono::milliseconds(0));
  EXPECT_LT(ReadToTheEnd(), sent);
}

}  // namespace
}  // namespace kith::rpc
