// The kernels of each level, whether this processor can run them or not.
#pragma once

#include "server/retrieval/kernels/kernels.h"

namespace kith::retrieval {

extern const Kernels kBaselineKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kVnniKernels;

}  // namespace kith::retrieval
