// What a block costs apart from its search: StreamExpand and Expand of 16 rows against an index of 1,000 frames, where
// there is next to nothing to search.
//
//   rpc_bench KITHD [SECONDS=3] [CLIENTS=64] [DIMENSION=768]
//
// One client, by turns on a stream and with unary calls; then CLIENTS streams, each on a connection of its own, that
// send a block four times a second, as real-time clients do, and as fast as they are answered. Prints for each the p50
// and p99 of the round trip, and of the server, per block: processor time (utime and stime of its process; it holds on
// a busy machine too) and how often its threads went to sleep.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bench/server.h"
#include "client/cli/speech_like.h"
#include "client/cpp/client.h"

namespace kith::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBlock = 16;
constexpr std::chrono::milliseconds kRealTime(250);

void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

// Blocks of one client, one after the other.
struct Caller {
  std::function<void(FramesView block)> call;
};

Caller OnStream(Client* client) {
  auto stream = client->StreamExpand("voice");
  Check(stream.status());
  return {[stream = std::shared_ptr<ExpandStream>(std::move(*stream))](FramesView block) {
    Check(stream->Write(1, block));
    const auto answer = stream->Read();
    Check(answer.status());
    Check((*answer)->status);
  }};
}

Caller Unary(Client* client) {
  return {[client](FramesView block) { Check(client->Expand("voice", block).status()); }};
}

// Has all callers call for `seconds`, each `interval` after its last call began, or at once where that is over.
void Run(const char* what, const Server& server, const std::vector<Caller>& callers, FramesView block,
         std::chrono::milliseconds interval, double seconds) {
  for (const Caller& caller : callers) {
    for (int i = 0; i < 5; ++i) caller.call(block);  // warms up
  }
  std::vector<double> all;
  std::mutex mutex;
  const ServerUse before = server.Use();
  const auto start = Clock::now();
  const auto end = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < callers.size(); ++i) {
    threads.emplace_back([&, i] {
      std::vector<double> microseconds;
      auto next = start + interval * i / callers.size();
      while (Clock::now() < end) {
        std::this_thread::sleep_until(next);
        const auto sent = Clock::now();
        callers[i].call(block);
        microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
        next += interval;
      }
      const std::lock_guard<std::mutex> lock(mutex);
      all.insert(all.end(), microseconds.begin(), microseconds.end());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const ServerUse after = server.Use();
  const auto blocks = static_cast<double>(all.size());
  std::printf("%-22s p50 %6.0f us   p99 %6.0f us   %6.0f blocks/s   CPU %5.0f us   sleeps %4.1f\n", what,
              Percentile(&all, 0.5), Percentile(&all, 0.99), blocks / seconds,
              (after.cpu_seconds - before.cpu_seconds) * 1e6 / blocks,
              static_cast<double>(after.sleeps - before.sleeps) / blocks);
}

int Main(int argc, char** argv) {
  if (argc < 2) Die("usage: rpc_bench KITHD [SECONDS] [CLIENTS] [DIMENSION]");
  const double seconds = argc > 2 ? std::atof(argv[2]) : 3;
  const int clients = argc > 3 ? std::atoi(argv[3]) : 64;
  const int dimension = argc > 4 ? std::atoi(argv[4]) : 768;

  const Server server(argv[1]);
  std::vector<std::unique_ptr<Client>> connections;
  connections.reserve(clients);
  for (int i = 0; i < clients; ++i) connections.push_back(std::make_unique<Client>(ClientOptions{server.address()}));
  cli::SpeechLike voice(dimension, 1);
  const std::vector<float> frames = voice.Next(1000);
  const std::vector<float> values = voice.Next(kBlock);
  TrainVoice(*connections[0], "voice", FramesView(frames, dimension));
  const FramesView block(values, dimension);

  for (int turn = 0; turn < 3; ++turn) {
    Run("one stream", server, {OnStream(connections[0].get())}, block, std::chrono::milliseconds(0), seconds / 3);
    Run("one client, unary", server, {Unary(connections[0].get())}, block, std::chrono::milliseconds(0), seconds / 3);
  }
  std::vector<Caller> streams;
  streams.reserve(clients);
  for (const auto& connection : connections) streams.push_back(OnStream(connection.get()));
  Run("streams in real time", server, streams, block, kRealTime, seconds);
  Run("streams at full speed", server, streams, block, std::chrono::milliseconds(0), seconds);
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
