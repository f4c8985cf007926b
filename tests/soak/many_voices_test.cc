// Far more voices than there is memory for, asked for at random.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <deque>
#include <fstream>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "client/cpp/error.h"
#include "tests/e2e/fixture.h"
#include "tests/soak/process_watch.h"
#include "tests/soak/setting.h"
#include "tests/soak/voice.h"
#include "tests/support/wait_until.h"

namespace kith::soak {
namespace {

constexpr int kClients = 16;
constexpr int64_t kRows = 2000;
constexpr int kDimension = 256;
constexpr int64_t kVoiceBytes = kRows * kDimension * static_cast<int64_t>(sizeof(float));  // its frames are its index

class ManyVoicesTest : public e2e::EndToEnd {
 protected:
  ManyVoicesTest() {
    for (int i = 0; i < Setting("KITH_SOAK_VOICES", 90); ++i) voices_.emplace_back(i, kDimension);
    std::ofstream(Path("kithd.yaml")) << "memory:\n  budget: " << budget_
                                      << "\ntraining:\n  nice: 0\n  concurrent: 2\n  threads: 2\n";
  }

  // Starts the server and the clients, and gives the seconds until it serves.
  double Start() {
    clients_.clear();
    const auto start = std::chrono::steady_clock::now();
    StartServer("127.0.0.1:0", {{"--config", Path("kithd.yaml")}, {}, {}, {}});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    ClientOptions options;
    options.target = address_;
    options.unary_timeout = absl::Seconds(120);
    for (int i = 0; i < kClients; ++i) clients_.push_back(std::make_unique<Client>(options));
    return taken.count();
  }

  void TrainAll() {
    std::atomic<size_t> next{0};
    ForEachClient([&](int, Client& client) {
      for (size_t i = next++; i < voices_.size(); i = next++) {
        const absl::Status status = WithRetries([&] { return voices_[i].Train(client, kRows); });
        EXPECT_TRUE(status.ok()) << status;
      }
    });
  }

  // Calls of all kinds to voices drawn at random.
  void Use(int64_t calls, uint64_t seed) {
    ForEachClient([&](int number, Client& client) {
      std::mt19937_64 random(seed + static_cast<uint64_t>(number));
      for (int64_t i = 0; i < calls && !HasFailure(); ++i) {
        Voice& voice = voices_[random() % voices_.size()];
        const auto kind = random() % 20;
        const absl::Status status = WithRetries([&] {
          if (kind == 0) return voice.Add(client, random);
          if (kind == 1) return voice.GetFrames(client, random);
          if (kind < 5) return voice.Expand(client, random);
          return voice.Search(client, random);
        });
        EXPECT_TRUE(status.ok()) << voice.name() << ": " << status;
      }
    });
  }

  // Without a voice, but with all that serving every client takes once: connections, threads, code.
  int64_t MeasureEmpty() {
    Voice& voice = voices_.front();
    ForEachClient([&](int number, Client& client) {
      std::mt19937_64 random(static_cast<uint64_t>(number));
      EXPECT_TRUE(voice.Search(client, random).ok());
      EXPECT_TRUE(voice.Expand(client, random).ok());
      EXPECT_TRUE(voice.GetFrames(client, random).ok());
    });
    EXPECT_TRUE(clients_.front()->Unload(voice.name()).ok());
    testing::WaitUntil([&] {
      const auto shown = clients_.front()->Get(voice.name());
      return shown.ok() && !shown->resident;
    });
    return TakenBy(server_->pid()).memory;
  }

  template <typename Body>
  void ForEachClient(const Body& body) {
    std::vector<std::thread> threads;
    threads.reserve(kClients);
    for (int i = 0; i < kClients; ++i) threads.emplace_back([&, i] { body(i, *clients_[i]); });
    for (std::thread& thread : threads) thread.join();
  }

  // As a client does that is told to come back: where everything is in use there is no room.
  template <typename Call>
  absl::Status WithRetries(const Call& call) {
    absl::Status status = call();
    for (int i = 0; i < 1000 && (ErrorReason(status) == "MEMORY_BUDGET" || ErrorReason(status) == "OVERLOADED"); ++i) {
      ++refusals_;
      std::this_thread::yield();
      status = call();
    }
    return status;
  }

  const int64_t budget_ = Setting("KITH_SOAK_ROOM", 34) * kVoiceBytes;
  std::deque<Voice> voices_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::atomic<int64_t> refusals_{0};
};

// What calls under way, threads' own buffers and the heap's gaps come to, whatever the budget is. More or less of it
// falls into a half by chance.
constexpr int64_t kBuffers = int64_t{6} << 20;

TEST_F(ManyVoicesTest, AreServedWithinTheBudget) {
  const int64_t calls = Setting("KITH_SOAK_CALLS", 100);
  Start();
  ASSERT_FALSE(HasFailure());
  TrainAll();
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();

  const double seconds = Start();
  std::printf("%zu voices: serves %.3f s after its start\n", voices_.size(), seconds);
  const int64_t empty = MeasureEmpty();
  ProcessWatch watch(server_->pid());
  int64_t peaks[2];
  for (int half = 0; half < 2; ++half) {
    Use(calls / 4, half + 10);  // what was there before has gone, or has not
    watch.TakePeaks();
    const auto start = std::chrono::steady_clock::now();
    const int64_t calls_of_each = calls / 4;
    Use(calls_of_each, half + 100);
    peaks[half] = watch.TakePeaks().memory - empty;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::printf(
        "empty %.1f MiB, budget %.1f MiB, at most %.1f MiB above empty (%.2f of the budget); %.0f calls/s; %lld "
        "refusals\n",
        Mebibytes(empty), Mebibytes(budget_), Mebibytes(peaks[half]), static_cast<double>(peaks[half]) / budget_,
        static_cast<double>(calls_of_each * kClients) / taken.count(), static_cast<long long>(refusals_.load()));
  }
  ASSERT_FALSE(HasFailure());
  for (const int64_t peak : peaks) {
    EXPECT_LE(peak, budget_ + budget_ / 10 + kBuffers);
    EXPECT_GE(peak, budget_ / 2) << "hardly any voice stays in memory";
  }
  EXPECT_LE(peaks[1], peaks[0] + budget_ / 20 + kBuffers) << "memory grows";
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
}

}  // namespace
}  // namespace kith::soak
