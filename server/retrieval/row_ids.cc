#include "server/retrieval/row_ids.h"

#include "absl/strings/str_cat.h"
#include "server/retrieval/bad_index.h"

namespace kith::retrieval {

void RowIds::Take(int64_t id) {
  const auto rows = static_cast<int64_t>(seen_.size());
  if (id < 0 || id >= rows || seen_[id]) {
    throw WrongIndex(absl::StrCat("the index has ids of its own (as after add_with_ids or remove_ids): ", id,
                                  " is not one of 0 to ", rows - 1, ", or comes twice. Kith numbers rows by their ",
                                  "place: make the index anew with add, or train on the frames (kith train NAME ",
                                  "FRAMES.npy)"));
  }
  seen_[id] = true;
  ++taken_;
}

}  // namespace kith::retrieval
