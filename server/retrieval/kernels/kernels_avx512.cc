#include "server/retrieval/kernels/kernels_template.h"
#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {

using Vector = float __attribute__((vector_size(64)));

// AVX-512's 32 registers: 8 x 3 sums.
const Kernels kAvx512Kernels = MakeKernels<Vector, 3, 8>("avx512");

}  // namespace kith::retrieval
