#include "server/retrieval/kernels/kernels.h"

#include <cstdlib>
#include <cstring>

#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {
namespace {

struct Level {
  const Kernels* kernels;
  bool (*supported)();
};

#if defined(__x86_64__)
bool HasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool HasAvx512() { return HasAvx2() && __builtin_cpu_supports("avx512f"); }
bool HasVnni() { return HasAvx512() && __builtin_cpu_supports("avx512vnni"); }
#endif
bool Always() { return true; }

// Best first.
constexpr Level kLevels[] = {
#if defined(__x86_64__)
    {&kVnniKernels, HasVnni},
    {&kAvx512Kernels, HasAvx512},
    {&kAvx2Kernels, HasAvx2},
#endif
    {&kBaselineKernels, Always}};

const Kernels* Choose() {
  const char* asked = std::getenv(kSimdVariable);
  const Kernels* found = asked == nullptr ? nullptr : FindKernels(asked);
  if (found != nullptr) return found;
  for (const Level& level : kLevels) {
    if (level.supported()) return level.kernels;
  }
  return &kBaselineKernels;
}

}  // namespace

const Kernels* FindKernels(const char* name) {
  for (const Level& level : kLevels) {
    if (level.supported() && std::strcmp(level.kernels->name, name) == 0) return level.kernels;
  }
  return nullptr;
}

const Kernels& BestKernels() {
  static const Kernels* const kBest = Choose();
  return *kBest;
}

}  // namespace kith::retrieval
