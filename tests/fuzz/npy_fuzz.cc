// Reading .npy files.
#include "common/npy/npy.h"
#include "tests/fuzz/target.h"

using kith::fuzz::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto matrix = kith::npy::ParseMatrix({reinterpret_cast<const char*>(data), size});
  if (!matrix.ok()) {
    Require(!matrix.status().message().empty(), "an error without a word");
    return 0;
  }
  Require(matrix->rows >= 0 && matrix->columns >= 1, "a shape that is none");
  Require(matrix->values.size() == static_cast<size_t>(matrix->rows) * static_cast<size_t>(matrix->columns),
          "values that are not of the shape");
  Require(matrix->values.size() <= size / 2, "more values than the file has");
  return 0;
}
