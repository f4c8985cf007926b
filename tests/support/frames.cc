#include "tests/support/frames.h"

#include <algorithm>
#include <filesystem>
#include <random>
#include <vector>

#include "common/npy/npy.h"

namespace kith::testing {

retrieval::Frames SpeechLike(int64_t rows, int dimension, uint64_t seed) {
  constexpr int kStates = 40;
  constexpr int kRun = 6;  // frames for which a state lasts
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.28f);
  std::vector<float> centres(static_cast<size_t>(kStates) * dimension);
  for (float& value : centres) value = normal(random);
  retrieval::Frames frames{dimension, {}};
  frames.values.reserve(static_cast<size_t>(rows) * dimension);
  size_t state = 0;
  for (int64_t i = 0; i < rows; ++i) {
    if (i % kRun == 0) state = random() % kStates;
    for (int j = 0; j < dimension; ++j) frames.values.push_back(centres[state * dimension + j] + 0.6f * normal(random));
  }
  return frames;
}

std::optional<retrieval::Frames> RealFrames(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path place = fs::path(KITH_SHARED_DATA) / path;
  std::vector<fs::path> files;
  if (fs::is_directory(place)) {
    for (const auto& entry : fs::directory_iterator(place)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else if (fs::exists(place)) {
    files.push_back(place);
  }
  retrieval::Frames frames;
  for (const fs::path& file : files) {
    const auto matrix = npy::ReadMatrix(file.string());
    if (!matrix.ok()) return std::nullopt;
    frames.dimension = static_cast<int>(matrix->columns);
    frames.values.insert(frames.values.end(), matrix->values.begin(), matrix->values.end());
  }
  if (frames.values.empty()) return std::nullopt;
  return frames;
}

}  // namespace kith::testing
