// Centroids as bytes, for processors that multiply those four times as fast as floats.
//
// The bytes only say which centroids can be the nearest ones: of each it is known how far its bytes are from it, and of
// a query too, so that by the triangle inequality all others are out. Those few are then compared exactly.
#pragma once

#include <cstdint>
#include <vector>

#include "server/retrieval/centroids.h"

namespace kith::retrieval {

class ByteCentroids : public Centroids {
 public:
  // `kernels` have score_bytes. `centroids` have to stay.
  ByteCentroids(const float* centroids, int64_t nlist, int dimension, Metric metric, const Kernels& kernels);

  void Nearest(int64_t n, const float* queries, int nprobe, int64_t* ids, float* distances) const override;
  int64_t bytes() const override;

 private:
  struct Scratch;

  void TakeQueries(int64_t n, const float* queries, Scratch* scratch) const;
  void Score(int64_t n, Scratch* scratch) const;
  float Limit(const ByteCode& query, float score) const;
  void NearestOf(const float* query, const ByteCode& code, const float* scores, int nprobe, Scratch* scratch,
                 int64_t* ids, float* distances) const;

  const Kernels& kernels_;
  const float* const centroids_;
  const int64_t nlist_;
  const int dimension_;
  const int steps_;      // of four values
  const int64_t width_;  // of all panels, in centroids
  const bool is_l2_;
  const float rounding_;          // more than that of a sum over a vector, relative to the sum of its terms' sizes
  std::vector<float> mean_;       // of the centroids: what is coded are the differences from it, which are smaller
  std::vector<float> zero_;       // inner products leave the queries where they are
  std::vector<int8_t> panels_;    // one after the other, see BytePanel; zeros behind the last centroid
  std::vector<float> scales_;     // [width_], as the next two
  std::vector<float> norms_;      // squared, of what is coded; for L2
  std::vector<int32_t> offsets_;  // what the query's bytes, which have no sign, add to a product
  float largest_norm_ = 0;        // squared
  float largest_error_ = 0;
};

}  // namespace kith::retrieval
