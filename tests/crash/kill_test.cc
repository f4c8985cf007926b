// Writers that go on without pause, and a server that is killed under them again and again.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/crash/crash_fixture.h"
#include "tests/crash/voice.h"

namespace kith::crash {
namespace {

using std::chrono::microseconds;

constexpr int kWritersPerVoice = 2;
constexpr int64_t kManyRows = 3'000;  // a voice that has them is trained anew

// Waits that end early when something happens.
class Progress {
 public:
  void Note() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    changed_.notify_all();
  }
  void NoteEnd() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }
  // Until so many operations were acknowledged, or no writer is left, and then so long.
  void WaitFor(int64_t operations, size_t writers, microseconds longer) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= operations || ended_ == writers; });
    changed_.wait_for(lock, longer, [&] { return ended_ == writers; });
  }
  int64_t done() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t done_ = 0;
  size_t ended_ = 0;
};

// One operation, drawn at random.
absl::Status Write(Voice& voice, Client& client, std::mt19937_64& random) {
  if (!voice.exists() || voice.rows() > kManyRows) return voice.Train(client);
  const auto draw = random() % 100;
  if (draw < 6) return voice.Train(client);
  if (draw < 10) return voice.Retrain(client);
  if (draw < 12) return voice.Delete(client);
  if (draw < 18) return voice.Rollback(client);
  if (draw < 20) return voice.SetPinned(client, random() % 2 == 0);
  return voice.Add(client, 1 + static_cast<int64_t>(random() % (draw < 30 ? 300 : 10)));
}

class KillTest : public CrashTest {
 protected:
  explicit KillTest() : seed_(static_cast<uint64_t>(Setting("KITH_CRASH_SEED", std::random_device()()))) {
    random_.seed(seed_);
    set_config("storage: {fold_rows: 100}\n");
    voices_.emplace_back("anna", VoiceOptions{}, seed_ + 1);
    voices_.emplace_back("berta", VoiceOptions{8, "IVF4,Flat", 4, 200}, seed_ + 2);
    voices_.emplace_back("carla", VoiceOptions{256, "Flat", std::nullopt, 60}, seed_ + 3);
  }

  // Writes until the server is killed, at a random moment.
  void WriteUntilKilled() {
    Progress progress;
    std::vector<std::thread> writers;
    for (Voice& voice : voices_) {
      for (int i = 0; i < kWritersPerVoice; ++i) {
        writers.emplace_back([&, seed = random_()] { RunWriter(voice, seed, &progress); });
      }
    }
    progress.WaitFor(static_cast<int64_t>(random_() % 60), writers.size(), microseconds(random_() % 20'000));
    EXPECT_EQ(server().End(SIGKILL), -SIGKILL) << server().err();
    for (std::thread& writer : writers) writer.join();
    operations_ += progress.done();
  }

  void RunWriter(Voice& voice, uint64_t seed, Progress* progress) {
    std::mt19937_64 random(seed);
    const auto client = server().Connect();
    for (;;) {
      const absl::Status status = Write(voice, *client, random);
      if (IsInDoubt(status)) break;
      // The other writer of the voice may have deleted it meanwhile.
      EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << voice.name() << ": " << status;
      if (!status.ok() && !absl::IsNotFound(status)) break;
      progress->Note();
    }
    progress->NoteEnd();
  }

  // One that is killed before it serves, or just after.
  void KillDuringStart() {
    ServerProcess server(Kithd(), data_dir(), "", config());
    Progress nothing;
    nothing.WaitFor(0, 1, microseconds(random_() % 60'000));
    EXPECT_EQ(server.End(SIGKILL), -SIGKILL) << server.err();
  }

  void CheckAll() {
    for (Voice& voice : voices_) voice.Check(client());
  }

  // How many the server told of.
  int64_t Folds() {
    const std::string log = server().err();
    int64_t folds = 0;
    for (size_t at = 0; (at = log.find("folded into a new snapshot", at)) != std::string::npos; ++at) ++folds;
    return folds;
  }

  const uint64_t seed_;
  std::mt19937_64 random_;
  std::deque<Voice> voices_;
  int64_t operations_ = 0;
  int64_t folds_ = 0;
};

TEST_F(KillTest, WhatWasAcknowledgedOutlivesAKillAtAnyMoment) {
  const int64_t rounds = Setting("KITH_CRASH_ROUNDS", 5);
  const auto voices = static_cast<int64_t>(voices_.size());
  for (int64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(round));
    if (random_() % 4 == 0) KillDuringStart();
    ASSERT_NO_FATAL_FAILURE(Start());
    CheckAll();
    if (random_() % 4 == 0) {
      StopAndLook(voices);
      ASSERT_NO_FATAL_FAILURE(Start());
    }
    WriteUntilKilled();
    folds_ += Folds();
    ExpectSound();
  }
  SCOPED_TRACE("seed " + std::to_string(seed_) + ", after the last round");
  ASSERT_FALSE(HasFailure());
  ASSERT_NO_FATAL_FAILURE(Start());
  CheckAll();
  StopAndLook(voices);
  ASSERT_NO_FATAL_FAILURE(Start());
  CheckAll();
  std::printf("%lld rounds, %lld operations acknowledged, %lld folds\n", static_cast<long long>(rounds),
              static_cast<long long>(operations_), static_cast<long long>(folds_));
}

}  // namespace
}  // namespace kith::crash
