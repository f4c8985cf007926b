#include "server/retrieval/graph_check.h"

#include <faiss/impl/HNSW.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "server/retrieval/bad_index.h"

namespace kith::retrieval {
namespace {

void CheckNode(const faiss::HNSW& graph, size_t node, size_t rows) {
  for (int level = 0; level < graph.levels[node]; ++level) {
    size_t begin = 0;
    size_t end = 0;
    graph.neighbor_range(static_cast<int64_t>(node), level, &begin, &end);
    bool ended = false;  // a search stops at the first -1, an addition does not
    for (size_t i = begin; i < end; ++i) {
      const int link = graph.neighbors[i];
      ended = ended || link == -1;
      if (ended && link == -1) continue;
      Require(!ended && link >= 0 && static_cast<size_t>(link) < rows && graph.levels[link] > level,
              "a link of its graph leads nowhere");
    }
  }
}

}  // namespace

void CheckGraph(const faiss::HNSW& graph, size_t rows) {
  const std::vector<int>& widths = graph.cum_nneighbor_per_level;
  Require(widths.size() >= 2 && widths.size() <= 64 && widths[0] == 0 && widths[1] >= 1 && widths.back() <= 1 << 20 &&
              std::adjacent_find(widths.begin(), widths.end(), std::greater_equal<>()) == widths.end(),
          "the levels of its graph do not fit");
  Require(graph.levels.size() == rows && graph.offsets.size() == rows + 1 && graph.offsets[0] == 0,
          "its graph has too few or too many nodes");
  Require(graph.efSearch >= 1 && graph.efSearch <= 4096 && graph.efConstruction >= 1 && graph.efConstruction <= 4096 &&
              graph.upper_beam == 1,
          "the settings of its graph are out of range");
  Require(graph.assign_probas.size() + 1 == widths.size(), "the levels of its graph do not fit");
  int top = 0;
  for (size_t i = 0; i < rows; ++i) {
    const int level = graph.levels[i];
    Require(level >= 1 && static_cast<size_t>(level) < widths.size(), "a node of its graph has no valid level");
    Require(graph.offsets[i + 1] >= graph.offsets[i] &&
                graph.offsets[i + 1] - graph.offsets[i] == static_cast<size_t>(widths[level]),
            "a node of its graph has too few or too many links");
    top = std::max(top, level);
  }
  Require(graph.neighbors.size() == graph.offsets[rows], "its graph has too few or too many links");
  if (rows == 0) return;
  Require(graph.entry_point >= 0 && static_cast<size_t>(graph.entry_point) < rows && graph.max_level == top - 1 &&
              graph.levels[graph.entry_point] == top,
          "its graph has no valid entry");
  for (size_t i = 0; i < rows; ++i) CheckNode(graph, i, rows);
}

}  // namespace kith::retrieval
