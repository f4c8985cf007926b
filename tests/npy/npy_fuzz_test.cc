// Mutated files, always the same ones: each is read or refused, and a matrix that is read is sound.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/npy/npy.h"
#include "tests/npy/bytes.h"

namespace kith::npy {
namespace {

std::vector<std::string> Seeds() {
  const std::string floats(4 * 12, '\x3F');
  return {
      FileOf("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }", floats),
      FileOf("{'descr': '<f2', 'fortran_order': True, 'shape': (1, 8, 3), }", floats, 2),
      FileOf("{\"shape\": (12L, 1L), \"fortran_order\": False, \"descr\": \"<f4\"}", floats, 3),
      Header(Type::kFloat32, 3, 4) + floats,
      FileOf("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4,), }", floats),
  };
}

class Mutator {
 public:
  std::string Mutate(std::string file) {
    static const std::vector<std::string> kTokens = {"'",
                                                     "\"",
                                                     "(",
                                                     ")",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     ",",
                                                     ":",
                                                     "-",
                                                     "L",
                                                     "True",
                                                     "0",
                                                     "1",
                                                     "99999999999",
                                                     "9223372036854775807",
                                                     "18446744073709551616",
                                                     "<f4",
                                                     "<f2",
                                                     "|O",
                                                     ">f4",
                                                     "shape",
                                                     "descr",
                                                     "\n",
                                                     std::string(1, '\0'),
                                                     "\xFF"};
    for (int changes = 1 + Below(4); changes > 0; --changes) {
      const size_t at = Below(file.size() + 1);
      const std::string& token = kTokens[Below(kTokens.size())];
      switch (Below(5)) {
        case 0:
          if (at < file.size()) file[at] = static_cast<char>(Below(256));
          break;
        case 1:
          file.insert(at, token);
          break;
        case 2:
          file.replace(at, std::min(token.size(), file.size() - at), token);
          break;
        case 3:
          file.erase(at, Below(8));
          break;
        case 4:
          if (Below(4) == 0) file.resize(at);
          break;
      }
    }
    return file;
  }

 private:
  // Not a distribution of the standard library: those differ from one library to the next.
  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  std::mt19937 random_{20240607};
};

TEST(NpyFuzz, MutatedFilesAreReadOrRefused) {
  Mutator mutator;
  int read = 0, refused = 0;
  for (const std::string& seed : Seeds()) {
    for (int i = 0; i < 4000; ++i) {
      const std::string file = mutator.Mutate(seed);
      const absl::StatusOr<Matrix> matrix = ParseMatrix(file);
      if (!matrix.ok()) {
        ++refused;
        ASSERT_EQ(matrix.status().code(), absl::StatusCode::kInvalidArgument);
        ASSERT_FALSE(matrix.status().message().empty());
        continue;
      }
      ++read;
      ASSERT_GE(matrix->rows, 0);
      ASSERT_GE(matrix->columns, 1);
      ASSERT_EQ(static_cast<int64_t>(matrix->values.size()), matrix->rows * matrix->columns);
      ASSERT_LE(matrix->values.size() * 2, file.size());
    }
  }
  EXPECT_GT(read, 1000);
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace kith::npy
