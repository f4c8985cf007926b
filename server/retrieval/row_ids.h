// The ids that an index file gives its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kith::retrieval {

// Takes the ids of an index of so many rows, which have to be 0 to rows - 1, each once, in any order: Kith numbers rows
// by their place, and under other ids would answer with other ids than the file.
class RowIds {
 public:
  explicit RowIds(int64_t rows) : seen_(static_cast<size_t>(rows)) {}

  // Throws WrongIndex (bad_index.h), that says what to do, for one out of range and for one that came before.
  void Take(int64_t id);

  int64_t taken() const { return taken_; }

 private:
  std::vector<bool> seen_;
  int64_t taken_ = 0;
};

}  // namespace kith::retrieval
