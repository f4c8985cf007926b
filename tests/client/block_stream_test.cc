#include "client/cpp/block_stream.h"

#include <thread>

#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace kith {
namespace {

using test::FakeServer;
using test::MakeError;

Frames Block(int64_t rows, float value) { return {2, std::vector<float>(rows * 2, value)}; }

TEST(BlockStreamTest, EveryBlockHasItsOwnStatusAndTheStreamGoesOn) {
  FakeServer server;
  server.retrieval.block_status = [](int64_t sequence) {
    return sequence == 1 ? MakeError(grpc::StatusCode::DEADLINE_EXCEEDED, "LATE", "late") : grpc::Status::OK;
  };
  Client client(ClientOptions{server.target()});
  auto stream = client.StreamExpand("voice", {}, absl::Milliseconds(250));
  ASSERT_TRUE(stream.ok()) << stream.status();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE((*stream)->Write(i, Block(i + 1, 5)).ok());
  for (int i = 0; i < 3; ++i) {
    const auto block = (*stream)->Read();
    ASSERT_TRUE(block.ok() && block->has_value());
    EXPECT_EQ((*block)->sequence, i);
    if (i == 1) {
      EXPECT_EQ((*block)->status.code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_EQ(ErrorReason((*block)->status), "LATE");
    } else {
      ASSERT_TRUE((*block)->status.ok());
      EXPECT_EQ((*block)->result.frames.values, std::vector<float>((i + 1) * 2, 6));
    }
  }
}

TEST(BlockStreamTest, EndsInOrderAfterClose) {
  FakeServer server;
  Client client(ClientOptions{server.target()});
  auto stream = client.StreamSearch("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(7, Block(3, 0)).ok());
  (*stream)->Close();
  const auto block = (*stream)->Read();
  ASSERT_TRUE(block.ok() && block->has_value());
  EXPECT_EQ((*block)->sequence, 7);
  EXPECT_EQ((*block)->result.ids, (std::vector<int64_t>{0, 1, 2}));
  const auto end = (*stream)->Read();
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_FALSE(end->has_value());
}

TEST(BlockStreamTest, OneThreadWritesWhileAnotherReads) {
  FakeServer server;
  Client client(ClientOptions{server.target()});
  auto stream = client.StreamExpand("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  constexpr int kBlocks = 500;
  std::thread writer([&] {
    for (int i = 0; i < kBlocks; ++i) ASSERT_TRUE((*stream)->Write(i, Block(16, static_cast<float>(i))).ok());
    (*stream)->Close();
  });
  int next = 0;
  while (true) {
    const auto block = (*stream)->Read();
    ASSERT_TRUE(block.ok()) << block.status();
    if (!block->has_value()) break;
    ASSERT_EQ((*block)->sequence, next++);
    ASSERT_EQ((*block)->result.frames.values[0], static_cast<float>(next));
  }
  writer.join();
  EXPECT_EQ(next, kBlocks);
}

TEST(BlockStreamTest, ARefusedOpeningShowsInRead) {
  FakeServer server;
  server.retrieval.before = [] { return MakeError(grpc::StatusCode::NOT_FOUND, "EXPERIMENT_NOT_FOUND", "no voice"); };
  Client client(ClientOptions{server.target()});
  auto stream = client.StreamExpand("voice");
  const absl::Status status = stream.ok() ? (*stream)->Read().status() : stream.status();
  EXPECT_EQ(ErrorReason(status), "EXPERIMENT_NOT_FOUND");
}

TEST(BlockStreamTest, TryCancelEndsAReadThatWaits) {
  FakeServer server;
  Client client(ClientOptions{server.target()});
  auto stream = client.StreamExpand("voice");
  ASSERT_TRUE(stream.ok()) << stream.status();
  std::thread canceller([&] { (*stream)->TryCancel(); });
  EXPECT_EQ((*stream)->Read().status().code(), absl::StatusCode::kCancelled);
  canceller.join();
  EXPECT_EQ((*stream)->Write(0, Block(1, 0)).code(), absl::StatusCode::kUnavailable);
}

TEST(BlockStreamTest, OutlivesItsClient) {
  FakeServer server;
  auto client = std::make_unique<Client>(ClientOptions{server.target()});
  auto stream = client->StreamExpand("voice");
  client.reset();
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE((*stream)->Write(0, Block(1, 1)).ok());
  EXPECT_TRUE((*stream)->Read().ok());
}

}  // namespace
}  // namespace kith
