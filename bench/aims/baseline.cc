#include "bench/aims/baseline.h"

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVF.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>
#include <faiss/utils/distances.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "bench/server.h"

// So that the compiler's vectors are those of the processor here as they are in numpy.
#if defined(__x86_64__)
#define KITH_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KITH_CLONES
#endif

namespace kith::bench {
namespace {

KITH_CLONES void WeightedSum(const float* const* rows, const float* weights, int dimension, float* out) {
  const float* a = rows[0];
  const float* b = rows[1];
  const float* c = rows[2];
  const float* d = rows[3];
  const float* e = rows[4];
  const float* f = rows[5];
  const float* g = rows[6];
  const float* h = rows[7];
  for (int i = 0; i < dimension; ++i) {
    out[i] = weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i] + weights[3] * d[i] + weights[4] * e[i] +
             weights[5] * f[i] + weights[6] * g[i] + weights[7] * h[i];
  }
}

void SetNprobe(faiss::Index& index, int nprobe) {
  if (auto* ivf = dynamic_cast<faiss::IndexIVF*>(&index)) ivf->nprobe = nprobe;
}

}  // namespace

Baseline::Baseline(const std::string& index_file, FramesView stored, int nprobe)
    : stored_(stored), index_(faiss::read_index(index_file.c_str())) {
  if (index_->ntotal != stored_.rows()) Die("the index file does not hold the frames");
  SetNprobe(*index_, nprobe);
}

void Baseline::Use(int threads, int blas_threshold) {
  omp_set_num_threads(threads);
  faiss::distance_compute_blas_threshold = blas_threshold;
}

int Baseline::Cores() { return omp_get_num_procs(); }

void Baseline::Search(const float* rows, int64_t count) {
  distances_.resize(count * kNeighbors);
  ids_.resize(count * kNeighbors);
  index_->search(count, rows, kNeighbors, distances_.data(), ids_.data());
}

void Baseline::Expand(const float* rows, int64_t count) {
  Search(rows, count);
  Blend(count);
}

void Baseline::Blend(int64_t count) {
  blended_.resize(count * stored_.dimension);
  for (int64_t row = 0; row < count; ++row) {
    const float* neighbors[kNeighbors];
    float weights[kNeighbors];
    float sum = 0;
    for (int i = 0; i < kNeighbors; ++i) {
      const int64_t id = ids_[row * kNeighbors + i];
      const float inverse = 1 / distances_[row * kNeighbors + i];
      // RVC takes the last row for a neighbour -1, as Python counts; its weight is next to nothing.
      neighbors[i] = stored_.values.data() + (id < 0 ? stored_.rows() - 1 : id) * stored_.dimension;
      sum += weights[i] = inverse * inverse;
    }
    for (float& weight : weights) weight /= sum;
    WeightedSum(neighbors, weights, stored_.dimension, blended_.data() + row * stored_.dimension);
  }
}

std::vector<int64_t> ExactNeighbors(FramesView stored, FramesView rows) {
  faiss::IndexFlatL2 index(stored.dimension);
  index.add(stored.rows(), stored.values.data());
  std::vector<float> distances(rows.rows() * kNeighbors);
  std::vector<int64_t> ids(rows.rows() * kNeighbors);
  index.search(rows.rows(), rows.values.data(), kNeighbors, distances.data(), ids.data());
  return ids;
}

double Recall(const std::vector<int64_t>& found, const std::vector<int64_t>& exact) {
  int64_t hits = 0;
  for (size_t row = 0; row < exact.size(); row += kNeighbors) {
    const auto first = exact.begin() + static_cast<std::ptrdiff_t>(row);
    for (size_t i = row; i < row + kNeighbors; ++i) hits += std::count(first, first + kNeighbors, found[i]);
  }
  return static_cast<double>(hits) / static_cast<double>(exact.size());
}

void WriteRvcIndexWithoutKMeans(FramesView frames, const std::string& path) {
  const int64_t rows = frames.rows();
  const auto lists = std::min<int64_t>(16 * static_cast<int64_t>(std::sqrt(rows)), rows / 39);
  faiss::IndexFlatL2 centroids(frames.dimension);
  for (int64_t list = 0; list < lists; ++list) centroids.add(1, frames.Rows(list * rows / lists, 1).values.data());
  faiss::IndexIVFFlat index(&centroids, frames.dimension, lists);
  index.is_trained = true;
  Baseline::Use(Baseline::Cores());
  index.add(rows, frames.values.data());
  faiss::write_index(&index, path.c_str());
}

FaissTraining TrainWithFaiss(const std::string& factory, FramesView frames, FramesView queries,
                             const std::vector<int64_t>& exact) {
  Baseline::Use(Baseline::Cores());
  const std::unique_ptr<faiss::Index> index(faiss::index_factory(frames.dimension, factory.c_str()));
  const auto start = std::chrono::steady_clock::now();
  index->train(frames.rows(), frames.values.data());
  index->add(frames.rows(), frames.values.data());
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  SetNprobe(*index, 1);
  std::vector<float> distances(exact.size());
  std::vector<int64_t> ids(exact.size());
  index->search(queries.rows(), queries.values.data(), kNeighbors, distances.data(), ids.data());
  return {seconds.count(), Recall(ids, exact)};
}

}  // namespace kith::bench
