// Whether a graph that came from a file can be followed.
#pragma once

#include <cstddef>

namespace faiss {
struct HNSW;
}

namespace kith::retrieval {

// Every node of a graph over so many rows has its level and its links, every link leads to a node on that level, and
// searching it stays within bounds. Throws WrongIndex (bad_index.h).
void CheckGraph(const faiss::HNSW& graph, size_t rows);

}  // namespace kith::retrieval
