// Room for an addition in the inverted lists that it goes to, made before searches have to wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace faiss {
struct IndexIVF;
}

namespace kith::retrieval {

// faiss's lists are vectors, which copy themselves whole where they grow: megabytes for a few rows that go to as many
// lists. Here the copies are made while searches go on. Lists of other kinds are left as they are.
class GrownLists {
 public:
  // Copies, with room, those of `assigned` (list numbers; below 0: none) that have none. Searches may run meanwhile,
  // and nobody adds until Swap.
  GrownLists(faiss::IndexIVF* index, const std::vector<int64_t>& assigned);

  // Puts them into the index. Nobody searches meanwhile. The former lists go with this object.
  void Swap();

 private:
  struct List {
    size_t number;
    std::vector<uint8_t> codes;
    std::vector<int64_t> ids;
  };

  faiss::IndexIVF* const index_;
  std::vector<List> lists_;
};

// Gives back the room that faiss leaves at the end of lists, up to as much again. Nobody searches meanwhile.
void ShrinkLists(faiss::IndexIVF* index);

}  // namespace kith::retrieval
