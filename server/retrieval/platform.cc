#include "server/retrieval/platform.h"

#include <cblas.h>
#include <dlfcn.h>
#include <faiss/Index.h>
#include <faiss/utils/distances.h>
#include <omp.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {
namespace {

// The dynamic loader chose among the builds by folder (glibc-hwcaps), so the folder tells.
std::string LoadedInstructionSet() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&faiss::fvec_L2sqr), &info) == 0 || info.dli_fname == nullptr)
    return "baseline";
  const absl::string_view path(info.dli_fname);
  if (absl::StrContains(path, "/x86-64-v4/")) return "AVX-512";
  if (absl::StrContains(path, "/x86-64-v3/")) return "AVX2";
  return "baseline";
}

bool ProcessorHasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

}  // namespace

Platform DescribePlatform() {
  Platform platform;
  platform.faiss =
      absl::StrCat(FAISS_VERSION_MAJOR, ".", FAISS_VERSION_MINOR, ".", FAISS_VERSION_PATCH, " (" KITH_FAISS_ORIGIN ")");
  platform.instruction_set = LoadedInstructionSet();
  platform.blas = absl::StrCat(openblas_get_config(), " on ", openblas_get_corename());
  if (platform.instruction_set == "baseline" && ProcessorHasAvx2()) {
    platform.warning =
        "faiss runs without AVX2 although the processor has it: searches take about five times as long; build with "
        "-DKITH_FAISS=bundled";
  }
  const char* const simd = std::getenv(kSimdVariable);
  if (simd != nullptr && FindKernels(simd) == nullptr) {
    absl::StrAppend(&platform.warning, platform.warning.empty() ? "" : "; ", kSimdVariable, "=", simd,
                    " names no level that this processor has; ", BestKernels().name,
                    " is used; baseline, avx2, avx512 and vnni are known");
  }
  return platform;
}

void InitializeFaiss() {
  // By default faiss computes the distances of fewer than 20 queries one by one; a block has 16, and as a matrix
  // product they take less than half the time (docs/performance.md).
  faiss::distance_compute_blas_threshold = 1;
  // For each such product faiss allocates room for this many queries x 1024 distances, however few there are. Its
  // default of 4096 makes that 16 MB, which the allocator asks the kernel for and gives back in every search.
  faiss::distance_compute_blas_query_bs = 512;
}

void SetThreadsOfThisThread(int threads) { omp_set_num_threads(threads); }

int ThreadsOfThisThread() { return omp_get_max_threads(); }

}  // namespace kith::retrieval
