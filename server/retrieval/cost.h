// How much work a search is.
#pragma once

#include <cstdint>

#include "server/retrieval/search.h"

namespace faiss {
struct Index;
}

namespace kith::retrieval {

// What the work of a search depends on, read off an index once: reading it takes no lock. An estimate, in products of
// two values.
class SearchCost {
 public:
  explicit SearchCost(const faiss::Index& index);

  // So many rows that a thread has searched them among `stored` vectors within a few milliseconds; 1 or more. `params`
  // come from Index::Resolve.
  int64_t RowsAtOnce(int64_t stored, const SearchParams& params) const;

 private:
  // Vectors that a row is compared with, each counted as one that is read and multiplied by itself.
  double Comparisons(int64_t stored, const SearchParams& params) const;

  int dimension_;
  int64_t nlist_ = 0;          // 0: no lists
  int64_t visited_links_ = 0;  // of a graph, for each candidate; 0: no graph
  double exploration_ = 0;     // candidates of a graph that are followed at least: faiss's efSearch
  double scanned_weight_ = 1;  // of a comparison in a list or a plain code
  int64_t least_rows_ = 1;
};

}  // namespace kith::retrieval
