// Hours of a normal day in minutes: streams at four fifths of what the server can do, clients that come and go, and
// trainings, additions and deletions all the while. Every answer has to be right, and the server may not grow.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/fixture.h"
#include "tests/soak/process_watch.h"
#include "tests/soak/session.h"
#include "tests/soak/setting.h"
#include "tests/soak/voice.h"
#include "tests/support/wait_until.h"

namespace kith::soak {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kVoices = 3;
constexpr int kClients = 16;
constexpr int kOtherVoices = 1000;  // their numbers start here
constexpr double kShareOfCapacity = 0.8;
constexpr int kPhases = 3;

// How much larger the tops of the last third may be than those of the middle one. Memory: what two thirds differ in by
// what happened to run at the same time, a training, a fold and an addition (each has a voice's frames two or three
// times), and by how the allocator's arenas are filled; a leak of 16 bytes a block shows in ten minutes. Files: a
// client that goes and the next one that comes may both be connected, and so may those that are killed. Threads: gRPC
// starts and ends some as it needs them.
constexpr int64_t kMemoryMarginShare = 20;  // a 20th of it
constexpr int64_t kFilesMargin = kClients;
constexpr int64_t kThreadsMargin = 4;

// Of the catalogue's file, which SQLite keeps for its next use where somebody else had a lock on it at the time.
constexpr int64_t kFilesKept = 4;

struct Counts {
  std::atomic<int64_t> trainings{0};
  std::atomic<int64_t> additions{0};
  std::atomic<int64_t> deletions{0};
  std::atomic<int64_t> kills{0};
};

class SteadyLoadTest : public e2e::EndToEnd {
 protected:
  SteadyLoadTest() {
    for (int i = 0; i < kVoices; ++i) voices_.emplace_back(i, dimension_, lists_);
    std::ofstream(Path("kithd.yaml")) << "storage:\n  fold_rows: " << 2 * additions_ << "\n";
  }

  ClientOptions Options() const {
    ClientOptions options;
    options.target = address_;
    options.unary_timeout = absl::Seconds(120);
    return options;
  }

  SessionOptions Stream(int client) const {
    SessionOptions options;
    options.address = address_;
    options.rows = rows_;
    options.search = client % 2 == 1;
    return options;
  }

  const Voice& VoiceOf(int client) const { return voices_[static_cast<size_t>(client % kVoices)]; }

  // Blocks a second of kClients, each with one under way.
  double MeasureCapacity() {
    Outcome outcome;
    const int64_t blocks = Setting("KITH_SOAK_CAPACITY_BLOCKS", 50);
    std::vector<std::thread> clients;
    clients.reserve(kClients);
    const auto start = Clock::now();
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&, i] {
        std::mt19937_64 random(static_cast<uint64_t>(i));
        SessionOptions options = Stream(i);
        options.blocks = blocks;
        options.budget = absl::Seconds(60);
        RunSession(VoiceOf(i), options, random, &outcome);
      });
    }
    for (std::thread& client : clients) client.join();
    const std::chrono::duration<double> taken = Clock::now() - start;
    ExpectNoFaults(outcome);
    EXPECT_EQ(outcome.answered, kClients * blocks);
    return static_cast<double>(outcome.answered) / taken.count();
  }

  // One client after the other, each with a connection of its own.
  void ComeAndGo(int client, std::chrono::nanoseconds interval, Outcome* outcome) {
    std::mt19937_64 random(static_cast<uint64_t>(100 + client));
    for (int i = client; !stopping_; ++i) {
      SessionOptions options = Stream(i);
      options.interval = interval;
      options.blocks = 10 + static_cast<int64_t>(random() % 190);
      options.farewell = std::array{Farewell::kClose, Farewell::kCancel, Farewell::kVanish}[random() % 3];
      RunSession(VoiceOf(i), options, random, outcome);
    }
  }

  // Programs that are killed with blocks under way.
  void KillClients() {
    std::mt19937_64 random(1);
    while (!stopping_) {
      const std::string voice = voices_[random() % kVoices].name();
      const auto bench = StartKith({"bench", voice, "--clients", "4", "--rate", "4", "--seconds", "3600"});
      Pause(500 + random() % 1500);
      bench->Signal(SIGKILL);
      bench->Wait();
      ++counts_.kills;
    }
  }

  // Adds to the voices that are streamed from, and trains them anew, so that they stay as large as they are.
  void ChangeTheSame() {
    std::mt19937_64 random(2);
    Client client(Options());
    while (!stopping_) {
      Voice& voice = voices_[random() % kVoices];
      for (int64_t i = 0; i < additions_ && !stopping_; ++i) {
        Expect(voice.Add(client, random), "Add to " + voice.name());
        Expect(voice.Search(client, random), "Search of " + voice.name());
        ++counts_.additions;
        Pause(pause_ms_ / 20);
      }
      Expect(voice.Train(client, rows_), "Train of " + voice.name());
      ++counts_.trainings;
    }
  }

  void ChangeOthers() {
    std::mt19937_64 random(3);
    Client client(Options());
    for (int number = kOtherVoices; !stopping_; ++number) {
      Voice voice(number, dimension_, lists_);
      Expect(voice.Train(client, rows_), "Train of " + voice.name());
      Expect(voice.Search(client, random), "Search of " + voice.name());
      Expect(voice.Add(client, random), "Add to " + voice.name());
      Expect(voice.Expand(client, random), "Expand of " + voice.name());
      Expect(client.Delete(voice.name()), "Delete of " + voice.name());
      ++counts_.trainings;
      ++counts_.additions;
      ++counts_.deletions;
      Pause(pause_ms_);
    }
  }

  // How the load is spread over time; nothing waits for a condition here.
  void Pause(int64_t milliseconds) {
    std::unique_lock<std::mutex> lock(stop_mutex_);
    stop_.wait_for(lock, std::chrono::milliseconds(milliseconds), [this] { return stopping_.load(); });
  }

  void Stop() {
    {
      const std::lock_guard<std::mutex> lock(stop_mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
  }

  static void Expect(const absl::Status& status, const std::string& what) {
    EXPECT_TRUE(status.ok()) << what << ": " << status;
  }

  static void ExpectNoFaults(const Outcome& outcome) {
    for (const auto& [fault, count] : outcome.faults) ADD_FAILURE() << count << " x " << fault;
  }

  // A third, or what comes before them: as long as it is to last, and until all kinds of things have happened.
  Taken RunPhase(std::chrono::seconds at_least, Outcome* outcome, ProcessWatch* watch) {
    const auto sessions = [&] {
      const std::lock_guard<std::mutex> lock(outcome->mutex);
      return outcome->sessions;
    };
    const auto end = Clock::now() + at_least;
    const int64_t trainings = counts_.trainings + 2;
    const int64_t additions = counts_.additions + 4;
    const int64_t deletions = counts_.deletions + 1;
    const int64_t kills = counts_.kills + 1;
    const int64_t ended = sessions() + kClients;
    watch->TakePeaks();
    Pause(std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count());
    testing::WaitUntil([&] {
      return HasFailure() || (counts_.trainings >= trainings && counts_.additions >= additions &&
                              counts_.deletions >= deletions && counts_.kills >= kills && sessions() >= ended);
    });
    return watch->TakePeaks();
  }

  void Report(const Outcome& outcome, double capacity, double seconds) const {
    const auto milliseconds = [&](double percent) {
      return std::chrono::duration<double, std::milli>(outcome.latencies.Percentile(percent)).count();
    };
    const auto count = [](int64_t value) { return static_cast<intmax_t>(value); };
    std::printf("capacity %.0f blocks/s; %.0f due and %.0f answered a second\n", capacity, kShareOfCapacity * capacity,
                static_cast<double>(outcome.answered) / seconds);
    std::printf("%jd answered, all right; p50 %.2f, p95 %.2f, p99 %.2f, max %.2f ms; %jd late, %jd overloaded\n",
                count(outcome.answered), milliseconds(50), milliseconds(95), milliseconds(99), milliseconds(100),
                count(outcome.late), count(outcome.overloaded));
    std::printf("%jd clients came and went, %jd blocks under way when they did; %jd programs of 4 clients killed\n",
                count(outcome.sessions), count(outcome.abandoned), count(counts_.kills));
    std::printf("%jd trainings, %jd additions, %jd deletions\n", count(counts_.trainings), count(counts_.additions),
                count(counts_.deletions));
  }

  const int dimension_ = static_cast<int>(Setting("KITH_SOAK_DIMENSION", 64));
  const int64_t rows_ = Setting("KITH_SOAK_ROWS", 2000);
  const int lists_ = static_cast<int>(Setting("KITH_SOAK_LISTS", 16));
  const int64_t additions_ = Setting("KITH_SOAK_ADDITIONS", 10);  // before a voice is trained anew
  const int64_t pause_ms_ = Setting("KITH_SOAK_PAUSE_MS", 0);
  std::deque<Voice> voices_;
  std::atomic<bool> stopping_{false};
  std::mutex stop_mutex_;
  std::condition_variable stop_;  // of Pause, once stopping_
  Counts counts_;
};

void ExpectFlat(const Taken& middle, const Taken& last) {
  EXPECT_LE(last.memory, middle.memory + std::max(middle.memory / kMemoryMarginShare, int64_t{16} << 20)) << "memory";
  EXPECT_LE(last.files, middle.files + kFilesMargin) << "open files";
  EXPECT_LE(last.threads, middle.threads + kThreadsMargin) << "threads";
}

TEST_F(SteadyLoadTest, LeavesTheServerAsItIs) {
  const auto third = std::chrono::seconds(Setting("KITH_SOAK_SECONDS", 0) / kPhases);
  StartServer("127.0.0.1:0", {{"--config", Path("kithd.yaml")}, {}, {}, {}});
  ASSERT_FALSE(HasFailure());
  {
    Client client(Options());
    for (Voice& voice : voices_) Expect(voice.Train(client, rows_), "Train");
  }
  ASSERT_FALSE(HasFailure());
  MeasureCapacity();  // warms up
  const double capacity = MeasureCapacity();
  ASSERT_FALSE(HasFailure());
  const int64_t files_before = TakenBy(server_->pid()).files;

  const std::chrono::nanoseconds interval(static_cast<int64_t>(1e9 * kClients / (kShareOfCapacity * capacity)));
  Outcome outcome;
  ProcessWatch watch(server_->pid());
  std::vector<std::thread> threads;
  threads.reserve(kClients + 3);
  const auto start = Clock::now();
  for (int i = 0; i < kClients; ++i) threads.emplace_back([&, i] { ComeAndGo(i, interval, &outcome); });
  threads.emplace_back([&] { KillClients(); });
  threads.emplace_back([&] { ChangeTheSame(); });
  threads.emplace_back([&] { ChangeOthers(); });
  RunPhase(third / 4, &outcome, &watch);  // until it has settled
  std::array<Taken, kPhases> peaks;
  for (Taken& peak : peaks) {
    peak = RunPhase(third, &outcome, &watch);
    std::printf("at most %.1f MiB, %lld open files, %lld threads\n", Mebibytes(peak.memory),
                static_cast<long long>(peak.files), static_cast<long long>(peak.threads));
    std::fflush(stdout);
  }
  Stop();
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> taken = Clock::now() - start;
  Report(outcome, capacity, taken.count());

  ExpectNoFaults(outcome);
  EXPECT_GT(outcome.answered, 0);
  // Room that is not given back would show here. A short run is the machine's more than the server's.
  if (third.count() > 0) {
    EXPECT_LE(outcome.overloaded, outcome.answered / 100);
  }
  ExpectFlat(peaks[1], peaks[2]);
  testing::WaitUntil([&] { return TakenBy(server_->pid()).files <= files_before + kFilesKept; });
  EXPECT_EQ(StopServer(SIGTERM), 0) << server_->err();
  EXPECT_EQ(server_->err().find("error"), std::string::npos) << server_->err();
}

}  // namespace
}  // namespace kith::soak
