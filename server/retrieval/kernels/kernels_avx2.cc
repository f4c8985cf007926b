#include "server/retrieval/kernels/kernels_template.h"
#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {

using Vector = float __attribute__((vector_size(32)));

// AVX2's 16 registers: 6 x 2 sums.
const Kernels kAvx2Kernels = MakeKernels<Vector, 2, 6>("avx2");

}  // namespace kith::retrieval
