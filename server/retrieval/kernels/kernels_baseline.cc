#include "server/retrieval/kernels/kernels_template.h"
#include "server/retrieval/kernels/levels.h"

namespace kith::retrieval {

using Vector = float __attribute__((vector_size(16)));

// SSE2's 16 registers: 2 x 4 sums.
const Kernels kBaselineKernels = MakeKernels<Vector, 4, 2>("baseline");

}  // namespace kith::retrieval
