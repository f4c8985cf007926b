// What may be given to faiss's index_factory.
//
// faiss trusts its caller: IVF0 ends the process at the first addition, PQ0 divides by zero, an exception inside an
// OpenMP region cannot be caught. A factory string is therefore read here first, token by token, and only forms that
// have been tried get through.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/retrieval/recipe.h"

namespace kith::retrieval {

struct FactoryShape {
  bool has_lists = false;   // IVF or IMI: searches take nprobe
  int64_t rows_needed = 1;  // to train it
};

// Reads `factory` for an index over `rows` vectors of `dimension` values:
//
//   factory:    [transform,]... storage [,RFlat]
//   transform:  OPQm[_d] | PCA[R]d | RRd | L2norm
//   storage:    (IVFn[_HNSW[m]] | IMI2xb),code | code | HNSWm[,Flat] | HNSWm_SQ.. | HNSWm_PQm[np] | LSH[r][t]
//   code:       Flat | SQ4 | SQ6 | SQ8 | SQfp16 | PQm[xb][np] | PQmx4fs[r]
//
// Left out: IDMap, because ids are given in order here anyway, and adding to one without ids throws; NSG, which is
// built once and takes no additions; PCAW, which divides by eigenvalues, and where frames are alike the quotients are
// not finite.
//
// Otherwise BAD_PARAMETER: an unknown token, a number out of range (both named), or too few rows (with the number
// needed).
absl::StatusOr<FactoryShape> CheckFactory(std::string_view factory, Metric metric, int64_t rows, int dimension);

}  // namespace kith::retrieval
