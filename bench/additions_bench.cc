// Searches of a block through kithd while rows are added to the same voice and folded into snapshots, beside the same
// searches alone, in turns, in one run. Then additions a second from 1 and from 16 writers.
//
//   additions_bench KITHD [ROWS=30000] [DIMENSION=768] [ROUNDS=5] [SECONDS=2] [ADDITION=20]
//
// Each round is so many seconds without and with additions of so many rows each, 1,000 rows a second.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "bench/server.h"
#include "client/cli/speech_like.h"
#include "client/cpp/client.h"

namespace kith::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBlock = 16;
constexpr int kRowsASecond = 1000;
constexpr char kConfig[] = "storage:\n  fold_rows: 2000\n";

double SecondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Blocks {
  const std::vector<float> values;
  const int dimension;

  FramesView At(int64_t number, int64_t rows) const {
    const auto size = static_cast<size_t>(rows) * dimension;
    const size_t count = values.size() / size;
    return {{values.data() + static_cast<size_t>(number) % count * size, size}, dimension};
  }
};

void Add(Client& client, FramesView rows) {
  MemorySource source(rows);
  const auto added = client.Add("voice", source);
  if (!added.ok()) Die(std::string(added.status().message()));
}

// The microseconds of each.
void Search(Client& client, const Blocks& blocks, double seconds, std::vector<double>* taken) {
  const auto start = Clock::now();
  for (int64_t i = 0; SecondsSince(start) < seconds; ++i) {
    const auto sent = Clock::now();
    const auto found = client.Search("voice", blocks.At(i, kBlock));
    if (!found.ok()) Die(std::string(found.status().message()));
    taken->push_back(SecondsSince(sent) * 1e6);
  }
}

void Report(const char* what, std::vector<double>* times, double idle_p99) {
  const double p99 = Percentile(times, 0.99);
  std::printf("%-28s %6zu searches   p50 %7.0f us   p95 %7.0f us   p99 %7.0f us   p99 / idle %.2f\n", what,
              times->size(), Percentile(times, 0.5), Percentile(times, 0.95), p99, p99 / idle_p99);
}

void MeasureSearches(const Server& server, const Blocks& blocks, int rounds, double seconds, int addition) {
  const auto pause = std::chrono::microseconds(int64_t{1000000} * addition / kRowsASecond);
  Client searcher({server.address()});
  Client adder({server.address()});
  std::vector<double> idle;
  std::vector<double> beside;
  std::vector<double> warm_up;
  Search(searcher, blocks, seconds, &warm_up);
  int64_t additions = 0;
  for (int round = 0; round < rounds; ++round) {
    Search(searcher, blocks, seconds, &idle);
    std::atomic<bool> stop{false};
    std::thread adding([&] {
      for (auto next = Clock::now(); !stop; next += pause) {
        std::this_thread::sleep_until(next);
        Add(adder, blocks.At(additions++, addition));
      }
    });
    Search(searcher, blocks, seconds, &beside);
    stop = true;
    adding.join();
  }
  const double p99 = Percentile(&idle, 0.99);
  Report("idle", &idle, p99);
  Report("beside additions", &beside, p99);
  std::printf("%.0f rows a second were added\n", static_cast<double>(additions * addition) / (rounds * seconds));
}

double AdditionsPerSecond(const Server& server, const Blocks& blocks, int writers, double seconds) {
  std::atomic<int64_t> additions{0};
  std::vector<std::thread> threads;
  threads.reserve(writers);
  const auto start = Clock::now();
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      Client client({server.address()});
      while (SecondsSince(start) < seconds) Add(client, blocks.At(additions++, 1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(additions) / SecondsSince(start);
}

int Main(int argc, char** argv) {
  if (argc < 2) Die("usage: additions_bench KITHD [ROWS] [DIMENSION] [ROUNDS] [SECONDS] [ADDITION]");
  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 30000;
  const int dimension = argc > 3 ? std::atoi(argv[3]) : 768;
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 5;
  const double seconds = argc > 5 ? std::atof(argv[5]) : 2;
  const int addition = argc > 6 ? std::atoi(argv[6]) : 20;

  const Server server(argv[1], kConfig);
  cli::SpeechLike voice(dimension, 1);
  {
    Client client({server.address()});
    const std::vector<float> frames = voice.Next(rows);
    const Experiment trained = TrainVoice(client, "voice", FramesView(frames, dimension));
    std::printf("%s over %lld x %d, nprobe %d, blocks of %d rows; additions of %d rows, folded every 2,000\n",
                trained.factory.c_str(), static_cast<long long>(rows), dimension, trained.nprobe, kBlock, addition);
  }
  const Blocks blocks{voice.Next(4000), dimension};
  MeasureSearches(server, blocks, rounds, seconds, addition);
  const double alone = AdditionsPerSecond(server, blocks, 1, seconds);
  const double together = AdditionsPerSecond(server, blocks, 16, seconds);
  std::printf("additions of one row: %.0f/s by 1 writer, %.0f/s by 16, ratio %.1f\n", alone, together,
              together / alone);
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
