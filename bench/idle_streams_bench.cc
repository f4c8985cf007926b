// What streams that are open and idle take of the server's memory, and what they do to a search.
//
//   idle_streams_bench KITHD [STREAMS=10000] [CONNECTIONS=100] [DIMENSION=768]
//
// Opens the streams, prints the server's memory; has each expand one block of 16 rows, prints it again; and the p50 and
// p99 of a unary Expand before and beside them.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/server.h"
#include "client/cli/speech_like.h"
#include "client/cpp/client.h"

namespace kith::bench {
namespace {

constexpr int kBlock = 16;
constexpr int kCalls = 1000;

void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

void Report(const Server& server, int64_t before, int streams, const char* what) {
  const int64_t memory = server.Memory();
  std::printf("%-34s server %5lld MiB, %6.1f KiB a stream\n", what, static_cast<long long>(memory >> 20),
              static_cast<double>(memory - before) / 1024 / streams);
}

void ReportCalls(Client& client, FramesView block, const char* what) {
  std::vector<double> times;
  for (int i = 0; i < kCalls; ++i) {
    const auto start = std::chrono::steady_clock::now();
    Check(client.Expand("voice", block).status());
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  const double p50 = Percentile(&times, 0.5);
  std::printf("%-34s p50 %.0f us, p99 %.0f us\n", what, p50, Percentile(&times, 0.99));
}

int Main(int argc, char** argv) {
  if (argc < 2) Die("usage: idle_streams_bench KITHD [STREAMS] [CONNECTIONS] [DIMENSION]");
  const int count = argc > 2 ? std::atoi(argv[2]) : 10'000;
  const int connections = argc > 3 ? std::atoi(argv[3]) : 100;
  const int dimension = argc > 4 ? std::atoi(argv[4]) : 768;

  const Server server(argv[1], "limits:\n  streams: 65536\n");
  std::vector<std::unique_ptr<Client>> clients;
  clients.reserve(connections);
  for (int i = 0; i < connections; ++i) clients.push_back(std::make_unique<Client>(ClientOptions{server.address()}));
  cli::SpeechLike voice(dimension, 1);
  TrainVoice(*clients[0], "voice", FramesView(voice.Next(1000), dimension));
  const std::vector<float> values = voice.Next(kBlock);
  const FramesView block(values, dimension);
  ReportCalls(*clients[0], block, "Expand, no streams");

  const int64_t before = server.Memory();
  std::vector<std::unique_ptr<ExpandStream>> streams;
  streams.reserve(count);
  for (int i = 0; i < count; ++i) {
    auto stream = clients[i % connections]->StreamExpand("voice");
    Check(stream.status());
    streams.push_back(*std::move(stream));
  }
  ReportCalls(*clients[0], block, "Expand beside idle streams");  // those opened last are surely there by then
  Report(server, before, count, "streams opened");
  for (auto& stream : streams) {
    Check(stream->Write(1, block));
    const auto answer = stream->Read();
    Check(answer.status());
    Check((*answer)->status);
  }
  Report(server, before, count, "after a block on each");
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
