// What a training takes in memory, beside what the budget counts for it: for tuning TrainingBytes
// (server/experiments/trainer.h).
//
//   training_memory_bench KITHD [ROWS=20000] [DIMENSION=768] [FACTORY...]
//
// Prints for each factory the most that kithd had above what it had before, in units of the frames' bytes; the frames
// themselves are 1 of them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/server.h"
#include "client/cli/speech_like.h"
#include "client/cpp/client.h"

namespace kith::bench {
namespace {

void Measure(const char* kithd, FramesView frames, const std::string& factory) {
  const Server server(kithd);
  ClientOptions options;
  options.target = server.address();
  Client client(options);
  // A small one first, so that threads and their buffers are there.
  TrainVoice(client, "small", frames.Rows(0, std::min<int64_t>(frames.rows(), 2000)));
  const int64_t before = server.Memory();
  server.ForgetPeak();
  const Experiment trained = TrainVoice(client, "voice", frames, factory);
  const int64_t peak = server.PeakMemory() - before;
  const int64_t after = server.Memory() - before;
  const auto unit = static_cast<double>(frames.values.size() * sizeof(float));
  std::printf("%-28s at most %.2f, then %.2f; counted as %.2f\n", trained.factory.c_str(),
              static_cast<double>(peak) / unit, static_cast<double>(after) / unit,
              static_cast<double>(trained.bytes) / unit);
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  if (argc < 2) Die("usage: training_memory_bench KITHD [ROWS] [DIMENSION] [FACTORY...]");
  const int64_t rows = argc > 2 ? std::atoll(argv[2]) : 20000;
  const int dimension = argc > 3 ? std::atoi(argv[3]) : 768;
  std::vector<std::string> factories(argv + std::min(argc, 4), argv + argc);
  if (factories.empty()) factories = {"IVF512,Flat", "IVF512,PQ384x4fs,RFlat", "HNSW32,Flat", "Flat"};
  const std::vector<float> frames = cli::SpeechLike(dimension, 1).Next(rows);
  for (const std::string& factory : factories) Measure(argv[1], FramesView(frames, dimension), factory);
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
