// A Search of a block through kithd over loopback, beside the same search by faiss in this process: the same index
// file, the same blocks, in turns, in one run.
//
//   loopback_bench KITHD [ROWS=30000] [DIMENSION=768] [ROUNDS=50]
//
// Prints p50, p95 and p99 of each and the ratios of the medians. faiss runs with its own settings (all cores, BLAS from
// 20 rows on) and with one thread.
#include <faiss/Index.h>
#include <faiss/index_io.h>
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/server.h"
#include "client/cli/speech_like.h"
#include "client/cpp/client.h"

namespace kith::bench {
namespace {

constexpr int kBlock = 16;
constexpr int kNeighbors = 8;
constexpr int kCallsInARow = 20;  // then it is the next one's turn

struct Contender {
  const char* name;
  std::function<void(const float* block)> search;
  std::vector<double> microseconds;
};

void Measure(std::vector<Contender>* contenders, const std::vector<float>& blocks, int dimension, int rounds) {
  const size_t block_size = static_cast<size_t>(kBlock) * dimension;
  const size_t block_count = blocks.size() / block_size;
  for (int round = -1; round < rounds; ++round) {  // the first warms up
    for (Contender& contender : *contenders) {
      for (int call = 0; call < kCallsInARow; ++call) {
        const float* block =
            blocks.data() + (static_cast<size_t>(round + 1) * kCallsInARow + call) % block_count * block_size;
        const auto start = std::chrono::steady_clock::now();
        contender.search(block);
        const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - start;
        if (round >= 0) contender.microseconds.push_back(taken.count());
      }
    }
  }
}

void Report(std::vector<Contender>* contenders) {
  const double kith = Percentile(&contenders->front().microseconds, 0.5);
  for (Contender& contender : *contenders) {
    const double median = Percentile(&contender.microseconds, 0.5);
    std::printf("%-28s p50 %7.0f us   p95 %7.0f us   p99 %7.0f us   p50 / kith's %.2f\n", contender.name, median,
                Percentile(&contender.microseconds, 0.95), Percentile(&contender.microseconds, 0.99), median / kith);
  }
}

int Main(int argc, char** argv) {
  if (argc < 2) Die("usage: loopback_bench KITHD [ROWS] [DIMENSION] [ROUNDS]");
  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 30000;
  const int dimension = argc > 3 ? std::atoi(argv[3]) : 768;
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 50;

  const Server server(argv[1]);
  Client client({server.address()});
  cli::SpeechLike voice(dimension, 1);
  const std::vector<float> frames = voice.Next(rows);
  const std::vector<float> blocks = voice.Next(kBlock * 64);
  const Experiment trained = TrainVoice(client, "voice", FramesView(frames, dimension));
  std::printf("%s over %lld x %d, nprobe %d, blocks of %d rows, %d cores\n", trained.factory.c_str(),
              static_cast<long long>(rows), dimension, trained.nprobe, kBlock, omp_get_max_threads());

  const std::unique_ptr<faiss::Index> index(faiss::read_index(server.IndexFile().c_str()));
  std::vector<float> distances(kBlock * kNeighbors);
  std::vector<int64_t> ids(kBlock * kNeighbors);
  const int cores = omp_get_max_threads();
  const auto local = [&](int threads) {
    return [&, threads](const float* block) {
      omp_set_num_threads(threads);
      index->search(kBlock, block, kNeighbors, distances.data(), ids.data());
    };
  };
  const auto remote = [&](const float* block) {
    const auto found = client.Search("voice", FramesView({block, static_cast<size_t>(kBlock) * dimension}, dimension));
    if (!found.ok()) Die(std::string(found.status().message()));
  };
  std::vector<Contender> contenders = {{"kithd over loopback", remote, {}},
                                       {"faiss here, its settings", local(cores), {}},
                                       {"faiss here, one thread", local(1), {}}};
  Measure(&contenders, blocks, dimension, rounds);
  Report(&contenders);
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
