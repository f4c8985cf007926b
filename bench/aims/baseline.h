// What an RVC pipeline does in its own process: faiss on the index file, then the blend.
#pragma once

#include <faiss/Index.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/cpp/types.h"

namespace kith::bench {

inline constexpr int kNeighbors = 8;
inline constexpr int kFaissThreshold = 20;  // faiss's own distance_compute_blas_threshold

class Baseline {
 public:
  // `stored` are the frames of the index, in the order of their ids (RVC's total_fea.npy); they must outlive it.
  Baseline(const std::string& index_file, FramesView stored, int nprobe);

  // How faiss runs from now on, in the whole process.
  static void Use(int threads, int blas_threshold = kFaissThreshold);
  static int Cores();

  // Of `rows` rows; kNeighbors each.
  void Search(const float* rows, int64_t count);
  // Search, then each row replaced by the mean of its neighbours, weighted by 1 / score^2, as RVC's pipeline does it.
  void Expand(const float* rows, int64_t count);

  const std::vector<int64_t>& ids() const { return ids_; }
  const std::vector<float>& blended() const { return blended_; }

 private:
  void Blend(int64_t count);

  const FramesView stored_;
  std::unique_ptr<faiss::Index> index_;
  std::vector<float> distances_;
  std::vector<int64_t> ids_;
  std::vector<float> blended_;
};

// The ids of the kNeighbors nearest of `stored` to each row, by exact search.
std::vector<int64_t> ExactNeighbors(FramesView stored, FramesView rows);

// The share of `exact` that is in `found`, row by row.
double Recall(const std::vector<int64_t>& found, const std::vector<int64_t>& exact);

// An index of RVC's shape at `path`, its lists around frames drawn at random.
void WriteRvcIndexWithoutKMeans(FramesView frames, const std::string& path);

// Seconds that faiss takes to train an index of `factory` and to add the frames, with its own settings on all cores,
// and recall@8 of that index at nprobe 1.
struct FaissTraining {
  double seconds = 0;
  double recall = 0;
};
FaissTraining TrainWithFaiss(const std::string& factory, FramesView frames, FramesView queries,
                             const std::vector<int64_t>& exact);

}  // namespace kith::bench
