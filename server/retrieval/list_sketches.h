// The vectors of inverted lists in a few bytes each, which tell how near to a query a vector can be at most.
//
// A vector's difference from its list's centroid is taken apart into what lies in the few directions of a Projection,
// of which bytes are kept, and what does not, of which the length is. A query's difference from the same centroid is
// taken apart likewise; by the triangle inequality in both parts their squared distance has a lower bound. A search
// reads those vectors alone whose bound is not above the k-th nearest found so far, so that it finds what a search of
// all finds. docs/performance.md has the figures.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "server/retrieval/flat_lists.h"
#include "server/retrieval/kernels/kernels.h"
#include "server/retrieval/projection.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// Thread-safe for those that read; Append excludes them.
class ListSketches {
 public:
  // Of `index`, which has to stay. Null where there is nothing to gain: another type than IVF,Flat over a flat
  // quantiser by L2, few dimensions, few vectors, a processor without sketch_bounds.
  static std::unique_ptr<ListSketches> Of(const faiss::Index& index, const Kernels& kernels);

  // Of vectors that are in no list yet.
  struct Rows {
    std::vector<int8_t> codes;  // [rows, directions()]
    std::vector<ByteCode> code;
    std::vector<float> rest;
    std::vector<float> error;
  };

  // `vectors`, that are to go into these `lists`. Reads nothing that Append changes.
  Rows Sketch(absl::Span<const int64_t> lists, const float* vectors) const;

  // Behind the rows that the lists have.
  void Append(absl::Span<const int64_t> lists, const Rows& rows);

  // Projects n queries for Bounds: projected[n * directions()].
  int directions() const { return projection_.directions(); }
  void Project(int64_t n, const float* queries, float* projected) const { projection_.Apply(n, queries, projected); }

  // bounds[i], for each row of the list in order: not above the squared distance of the query and that row. `norm` is
  // the query's, `centroid_distance` its squared distance from the list's centroid.
  void Bounds(const float* projected, float norm, int64_t list, float centroid_distance, float* bounds) const;

  const FlatLists& lists() const { return lists_; }
  const Kernels& kernels() const { return kernels_; }
  const float* centroid(int64_t list) const { return centroids_ + list * lists_.dimension(); }

  // What a computed squared distance may be off by, relative to it.
  float rounding() const { return rounding_; }

  int64_t bytes() const;

 private:
  struct List {
    std::vector<uint8_t> panels;  // SketchPanels, each with its codes
    int rows = 0;
  };

  ListSketches(const FlatLists& lists, const float* centroids, int64_t vectors, const Kernels& kernels);

  int64_t panel_bytes() const;
  void SketchAll();
  void Put(const Rows& rows, int64_t row, List* list) const;
  float RestOf(float squared_norm, float squared_norm_inside, float inside_off, float* off) const;

  const FlatLists lists_;
  const float* const centroids_;  // [nlist, dimension]
  const Kernels& kernels_;
  const float rounding_;
  const Projection projection_;
  const float rounding_inside_;             // what a projected vector may be off by, relative to the vector's norm
  std::vector<float> projected_centroids_;  // [nlist, directions]
  float largest_norm_ = 0;                  // of a centroid
  std::vector<List> sketches_;              // of each list
};

}  // namespace kith::retrieval
