// How an index is made: what a user asks for (Recipe), and what that means for N rows (BuildPlan).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kith::retrieval {

enum class Metric {
  kL2,            // squared Euclidean distance; smaller is nearer
  kInnerProduct,  // larger is nearer
  kCosine,        // inner product of rows divided by max(1e-9, norm)
};

// "l2", "inner-product", "cosine": the names used in files.
std::string_view MetricName(Metric metric);
std::optional<Metric> MetricFromName(std::string_view name);

// Mini-batch k-means before the index is built: the centres replace the frames.
struct Compression {
  int64_t centres = 0;
  std::optional<int> batch_size;  // rows a step; unset: 256 for each thread of the training
  std::optional<int> iterations;  // passes over the frames at most; unset: 100
};

// Alpha expansion of the stored frames before the index is built; comes after Compression.
struct Expansion {
  int neighbors = 0;  // itself included
  float alpha = 3;
  bool unit_norm = false;  // leave the rows at norm 1 instead of giving each its own norm back
};

inline constexpr float kMinKFactor = 1;
inline constexpr float kMaxKFactor = 1024;

struct Recipe {
  std::string name;     // auto | rvc | rvc-2023 | fastscan; empty with a factory. Both empty: auto.
  std::string factory;  // a faiss factory string
  Metric metric = Metric::kL2;
  std::optional<int> nprobe;      // unset: the recipe's own
  std::optional<float> k_factor;  // unset: 4
  int64_t seed = 1234;
  std::optional<Compression> compression;
  std::optional<Expansion> expansion;
};

// k-means wants at least this many rows for each list or centre (faiss's min_points_per_centroid).
inline constexpr int64_t kRowsPerList = 39;

// What RVC compresses a large voice to.
inline constexpr int64_t kRvcCentres = 10'000;

// OK where the recipe's fields are in range by themselves; otherwise BAD_PARAMETER that names the field and its range.
absl::Status CheckRecipe(const Recipe& recipe);

// A recipe applied to `rows` frames of `dimension` values.
struct BuildPlan {
  std::string factory;        // what faiss's index_factory is given
  std::optional<int> nprobe;  // 0: an index without lists; unset: choose by measured recall
  float k_factor = 4;
};

// Fails with BAD_PARAMETER where the recipe cannot be trained on so few rows (the message names the number it needs),
// where faiss does not know the factory string, and where faiss would end the process on it.
absl::StatusOr<BuildPlan> PlanBuild(const Recipe& recipe, int64_t rows, int dimension);

// What was built, for people and for the manifest.
struct BuildReport {
  std::string factory;
  int64_t nlist = 0;          // 0: an index without inverted lists
  int nprobe = 0;             // default of searches; 0 without lists
  float k_factor = 0;         // default of searches; 0 for an index that does not re-rank
  double recall_at_8 = 0;     // at these defaults, see recall.h
  std::string source_sha256;  // of the index file that it was imported from; empty: it was trained
};

}  // namespace kith::retrieval
