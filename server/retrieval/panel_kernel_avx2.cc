#include "server/retrieval/panel_kernel_template.h"

namespace kith::retrieval::panel {

using Vector = float __attribute__((vector_size(32)));

void MultiplyAvx2(const float* panel, int dimension, const float* const* rows, int count, float* products) {
  MultiplyRows<Vector>(panel, dimension, rows, count, products);
}

}  // namespace kith::retrieval::panel
