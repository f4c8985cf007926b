// What clients notice of a kithd that is stopped and started again, as for an upgrade.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "client/cli/speech_like.h"
#include "client/cpp/client.h"
#include "client/cpp/error.h"
#include "kith/v1/experiments.grpc.pb.h"
#include "tests/e2e/fixture.h"
#include "tests/support/wait_until.h"

namespace kith::e2e {
namespace {

using ::testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

// A training whose frames do not end before Release: a call that a drain waits for.
class HeldUpload final : public FrameSource {
 public:
  // Returns once the server has it.
  explicit HeldUpload(const std::string& target)
      : thread_([this, target] { status_ = Client({target}).Train("bert", *this).status(); }) {
    Client client({target});
    testing::WaitUntil([&] { return client.Get("bert").ok(); });
  }
  ~HeldUpload() override { (void)Release(); }

  absl::StatusOr<FramesView> Next() override {
    std::unique_lock lock(mutex_);
    if (!std::exchange(begun_, true)) return FramesView(frames_, kDimension);
    changed_.wait(lock, [this] { return released_; });
    return FramesView();
  }
  absl::Status Rewind() override { return absl::OkStatus(); }

  // Lets it end, and gives how it did.
  absl::Status Release() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  const std::vector<float> frames_ = cli::SpeechLike(kDimension, 1).Next(50);
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;
  bool released_ = false;
  absl::Status status_;
  std::thread thread_;
};

// Tells when it is read from.
class NoticedSource final : public FrameSource {
 public:
  explicit NoticedSource(const std::vector<float>& frames) : source_(FramesView(frames, kDimension)) {}

  absl::StatusOr<FramesView> Next() override { return source_.Next(); }
  absl::Status Rewind() override {
    ++attempts;
    return source_.Rewind();
  }
  std::atomic<int> attempts{0};

 private:
  MemorySource source_;
};

class UpgradeTest : public EndToEnd {
 protected:
  UpgradeTest() {
    StartServer();
    KithJson({"train", "anna", GenerateFrames(500)});
  }

  // Blocks that the server has answered with a result since it started.
  int64_t BlocksAnswered() const {
    const auto info = Client({address_}).GetServerInfo();
    if (!info.ok()) return 0;
    for (const Histogram& histogram : info->histograms) {
      if (histogram.name == "kith_block_seconds") return static_cast<int64_t>(histogram.count);
    }
    return 0;
  }

  // Asks with a deadline that leaves no room for a second attempt.
  absl::Status AskOnce() const {
    CallOptions call;
    call.timeout = absl::Milliseconds(900);
    return Client({address_}).List(call).status();
  }
  void WaitUntilItDrains() const {
    testing::WaitUntil([this] { return ErrorReason(AskOnce()) == "SHUTTING_DOWN"; });
  }
};

// Adds one frame after the other, each until it is acknowledged, with the same request_id as long as it is not.
class Adder {
 public:
  explicit Adder(const std::string& target) : client_({target}), thread_([this] { Run(); }) {}
  ~Adder() { Stop(); }

  int64_t acknowledged() const { return acknowledged_; }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    cli::SpeechLike speech(kDimension, 5);
    while (!stop_) {
      const std::vector<float> frame = speech.Next(1);
      const std::string id = "upgrade-" + std::to_string(acknowledged_);
      while (true) {
        MemorySource source(FramesView(frame, kDimension));
        const auto added = client_.Add("anna", source, id);
        if (added.ok()) {
          EXPECT_EQ(added->first_id, 500 + acknowledged_);
          ++acknowledged_;
          break;
        }
        ASSERT_TRUE(absl::IsUnavailable(added.status())) << added.status();
      }
    }
  }

  Client client_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> acknowledged_{0};
  std::thread thread_;
};

TEST_F(UpgradeTest, StreamsMissTheBlocksOfTheGapAndAdditionsNothing) {
  constexpr int kClients = 16;
  constexpr int kBlockMs = 100;
  constexpr int kSeconds = 8;
  constexpr int kFew = 10;  // blocks until a client is back, and what is late on a busy machine
  const std::string query = std::filesystem::directory_iterator(GenerateFrames(40, 7))->path().string();
  auto stream =
      StartKith({"stream", "anna", query, "--clients", std::to_string(kClients), "--seconds", std::to_string(kSeconds),
                 "--block-ms", std::to_string(kBlockMs), "--budget-ms", "2000", "--json"});
  Adder adder(address_);
  testing::WaitUntil([&] { return BlocksAnswered() >= 3 * kClients && adder.acknowledged() > 0; });

  const auto stopped = SteadyClock::now();
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
  StartServer(address_);
  const std::chrono::duration<double, std::milli> gap = SteadyClock::now() - stopped;
  const int64_t before = adder.acknowledged();
  testing::WaitUntil([&] { return adder.acknowledged() > before; });
  adder.Stop();

  EXPECT_EQ(stream->Wait(), 0) << stream->err();
  const auto report = LastJson(stream->out());
  EXPECT_EQ(report["rows"], kClients * kSeconds * 50) << "every frame is played";
  EXPECT_EQ(report["reconnects"], kClients);
  const auto missed = static_cast<int64_t>(std::ceil(gap.count() / kBlockMs)) + kFew;
  EXPECT_LE(report["bypassed"], kClients * missed) << "the gap was " << gap.count() << " ms; " << report;
  RecordProperty("gap_ms", static_cast<int>(gap.count()));
  RecordProperty("bypassed", report["bypassed"].get<int>());
  EXPECT_EQ(KithJson({"show", "anna"})["rows"], 500 + adder.acknowledged());
}

TEST_F(UpgradeTest, WhatADrainRefusesIsDoneOnceTheServerIsBack) {
  HeldUpload held(address_);
  server_->Signal(SIGTERM);
  WaitUntilItDrains();
  const std::vector<float> frames = cli::SpeechLike(kDimension, 2).Next(3);
  NoticedSource source(frames);
  std::thread adds([&] {
    const auto added = Client({address_}).Add("anna", source);
    ASSERT_TRUE(added.ok()) << added.status();
    EXPECT_EQ(added->first_id, 500);
  });
  testing::WaitUntil([&] { return source.attempts > 0; });
  EXPECT_EQ(ErrorReason(held.Release()), "SHUTTING_DOWN");
  EXPECT_EQ(server_->Wait(), 0);
  StartServer(address_);
  adds.join();
  EXPECT_GE(source.attempts, 2);
  EXPECT_EQ(KithJson({"show", "anna"})["rows"], 503);
}

// Of clients that call all the time, over connections that they have, with nothing that a drain would wait for.
TEST_F(UpgradeTest, ACallIsDoneOrToldThatTheServerCannotBeReachedAndNothingElse) {
  constexpr int kClients = 8;
  std::mutex mutex;
  std::map<grpc::StatusCode, int> ends;
  std::vector<std::thread> clients;
  std::atomic<int> begun{0};
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      grpc::ChannelArguments own;  // a connection
      own.SetInt("kith.test.client", i);
      const auto stub =
          v1::Experiments::NewStub(grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), own));
      for (bool reached = true; reached;) {
        grpc::ClientContext context;
        v1::GetExperimentRequest request;
        request.set_name("anna");
        v1::GetExperimentResponse answer;
        const grpc::Status end = stub->Get(&context, request, &answer);
        ++begun;
        const std::lock_guard lock(mutex);
        ++ends[end.error_code()];
        reached = end.ok() || !end.error_details().empty();  // refused by Kith itself: it still answers
      }
    });
  }
  testing::WaitUntil([&] { return begun > 20 * kClients; });
  EXPECT_EQ(StopServer(SIGTERM), 0);
  for (std::thread& client : clients) client.join();
  EXPECT_GT(ends[grpc::StatusCode::OK], 0);
  EXPECT_GE(ends[grpc::StatusCode::UNAVAILABLE], kClients);
  for (const auto& [code, count] : ends) {
    EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::UNAVAILABLE)
        << count << " ended with " << code;
  }
}

TEST_F(UpgradeTest, ACallThatDoesNotEndIsCancelledAfterDrainSeconds) {
  std::ofstream(Path("kithd.yaml")) << "drain_seconds: 1\n";
  EXPECT_EQ(StopServer(SIGTERM), 0);
  ProcessOptions options;
  options.arguments = {"--config", Path("kithd.yaml")};
  StartServer("127.0.0.1:0", options);
  HeldUpload held(address_);
  EXPECT_EQ(StopServer(SIGTERM), 0) << "although its client goes on";
  EXPECT_FALSE(held.Release().ok());
}

TEST_F(UpgradeTest, ASecondSignalEndsItAtOnce) {
  HeldUpload held(address_);
  server_->Signal(SIGTERM);
  WaitUntilItDrains();
  EXPECT_EQ(StopServer(SIGTERM), 1);
  EXPECT_THAT(server_->err(), ::testing::Not(HasSubstr("drained")));
  EXPECT_FALSE(held.Release().ok());
}

}  // namespace
}  // namespace kith::e2e
