// compression_bench FRAMES.npy CENTRES OUT.npy [SEED]: mini-batch k-means as a training of kithd does it, with all
// cores. Writes the centres and prints the seconds that it took, by the clock and
// of the processor. bench/compare_kmeans.py holds them against
// scikit-learn's.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "common/npy/npy.h"
#include "server/base/cores.h"
#include "server/retrieval/kmeans.h"
#include "server/retrieval/platform.h"

namespace kith::bench {
namespace {

[[noreturn]] void Die(const absl::Status& status) {
  std::cerr << "compression_bench: " << status.message() << std::endl;
  std::exit(1);
}

int Main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: compression_bench FRAMES.npy CENTRES OUT.npy [SEED]" << std::endl;
    return 2;
  }
  const auto matrix = npy::ReadMatrix(argv[1]);
  if (!matrix.ok()) Die(matrix.status());
  const retrieval::FrameView frames{matrix->values.data(), matrix->rows, static_cast<int>(matrix->columns)};
  retrieval::Compression compression;
  compression.centres = std::atoll(argv[2]);
  const int64_t seed = argc > 4 ? std::atoll(argv[4]) : retrieval::Recipe().seed;
  retrieval::InitializeFaiss();
  retrieval::SetThreadsOfThisThread(UsableCores());

  int64_t steps = 0;
  const std::clock_t cpu_start = std::clock();
  const auto start = std::chrono::steady_clock::now();
  const auto centres = retrieval::MiniBatchKMeans(frames, compression, seed, [&](int64_t, int64_t) {
    ++steps;
    return true;
  });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
  if (!centres.ok()) Die(centres.status());
  if (absl::Status status = npy::WriteMatrix(argv[3], centres->view().values(), centres->rows(), centres->dimension);
      !status.ok()) {
    Die(status);
  }
  std::printf("%.2f seconds, %.2f of the processor, %lld steps\n", seconds.count(), cpu_seconds,
              static_cast<long long>(steps - 2));
  return 0;
}

}  // namespace
}  // namespace kith::bench

int main(int argc, char** argv) { return kith::bench::Main(argc, argv); }
