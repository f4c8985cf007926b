// What the searches run on.
#pragma once

#include <string>

namespace kith::retrieval {

struct Platform {
  std::string faiss;            // "1.7.3 (bundled)"
  std::string instruction_set;  // "AVX-512", "AVX2" or "baseline": what the loaded faiss was compiled for
  std::string blas;             // "OpenBLAS 0.3.21 ... Zen", as it describes itself
  std::string warning;          // empty, or why this is slower than it could be
};

Platform DescribePlatform();

// To be called once, before any thread searches: settings of faiss that hold for the process.
void InitializeFaiss();

// How many threads faiss and BLAS use when called from the calling thread.
void SetThreadsOfThisThread(int threads);
int ThreadsOfThisThread();

}  // namespace kith::retrieval
